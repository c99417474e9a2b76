"""Says a simulated market in FIX 4.4: 35=W for each symbol, then 35=X.

A change of a price level is one message; a replaced order, which changes two, is one of two
entries. Trades have an id (278), and are taken back by it (279=2). Frames follow each other.
Source: FIX 4.4 volume 1 ("Message Format"), volume 3 ("Market Data").
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.feeds.fix.fields cimport byte_sum
from ticker.simulate.market.levels cimport LevelMarket, LevelSpeaker, Sale
from ticker.simulate.market.resting cimport BID
from ticker.simulate.market.speaker cimport Instrument
from ticker.simulate.speakers.text cimport (
    put_clock,
    put_digits,
    put_number,
    put_price,
    put_stock,
    put_text,
)

from datetime import UTC, datetime

cdef enum:
    SOH = 1
    ROOM = 400               # bytes of `entries` that an event may use


cdef class FixSpeaker(LevelSpeaker):
    """Encodes each event of a book, and each trade, as one message."""

    def __init__(self, midnight: int) -> None:
        cdef bytes date = datetime.fromtimestamp(midnight // 10**9, UTC).strftime("%Y%m%d").encode()
        memcpy(self.date, <const char*>date, 9)
        self.entries_end = self.entries

    # An entry, field by field

    cdef void entry(self, const char* action, const char* kind) noexcept nogil:
        check(self.entries_end - self.entries < ROOM)
        self.entries_end = put_text(self.entries_end, action)
        self.entries_end = put_text(self.entries_end, kind)
        self.entry_count += 1

    cdef void field(self, const char* name, uint64_t value) noexcept nogil:
        self.entries_end = put_number(put_text(self.entries_end, name), value)
        self.entries_end[0] = SOH
        self.entries_end += 1

    cdef void symbol(self, const Instrument* on) noexcept nogil:
        self.entries_end = put_stock(put_text(self.entries_end, "55="), on.stock)
        self.entries_end[0] = SOH
        self.entries_end += 1

    cdef void price(self, uint64_t price) noexcept nogil:
        self.entries_end = put_price(put_text(self.entries_end, "270="), price)
        self.entries_end[0] = SOH
        self.entries_end += 1

    cdef void say(self, const char* kind, const Instrument* before) noexcept nogil:
        """The message around the entries; `before`: the symbol of them all, ahead of the group."""
        cdef uint8_t* start = self.out
        cdef uint8_t* body = put_text(start, "8=FIX.4.4\x019=0000\x01")
        cdef uint8_t* out = put_number(put_text(put_text(body, kind), "34="), self.messages + 1)
        out = put_text(put_text(out, "\x0149=VENUE\x0152="), self.date)
        out[0] = c"-"
        out = put_clock(out + 1, self.midnight + self.time)
        out = put_text(out, "\x0156=TICKER\x01")
        if before != NULL:
            out = put_stock(put_text(out, "55="), before.stock)
            out[0] = SOH
            out += 1
        out = put_number(put_text(out, "268="), self.entry_count)
        out[0] = SOH
        out += 1
        memcpy(out, self.entries, self.entries_end - self.entries)
        out += self.entries_end - self.entries
        put_digits(body - 5, <uint64_t>(out - body), 4)
        out = put_digits(put_text(out, "10="), byte_sum(start, <size_t>(out - start)), 3)
        out[0] = SOH
        self.out = out + 1
        self.messages += 1
        self.entries_end = self.entries
        self.entry_count = 0

    # What the market says

    cdef void directory(self, const Instrument* on) noexcept nogil:
        """The empty book of an instrument whose day begins."""
        if not on.depth[0] and not on.depth[1]:
            self.say("35=W\x01", on)

    cdef void changed(
        self, const Instrument* on, int side, int64_t price, int change, bint complete
    ) noexcept nogil:
        cdef uint64_t size = self.size_at(on, side, price)
        self.entry("279=1\x01" if size else "279=2\x01", "269=0\x01" if side == BID else "269=1\x01")
        self.symbol(on)
        self.price(<uint64_t>price)
        self.field("271=", size)
        if complete:
            self.say("35=X\x01", NULL)

    cdef void sold(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil:
        self.entry("279=0\x01", "269=2\x01")
        self.field("278=", match)
        self.symbol(on)
        self.price(price)
        self.field("271=", shares)
        self.entries_end = put_clock(put_text(self.entries_end, "273="), self.midnight + self.time)
        self.entries_end[0] = SOH
        self.entries_end += 1
        self.say("35=X\x01", NULL)

    cdef void broke(self, const Instrument* on, const Sale* sale) noexcept nogil:
        self.entry("279=2\x01", "269=2\x01")
        self.field("278=", sale.match)
        self.symbol(on)
        self.price(sale.price)
        self.field("271=", sale.shares)
        self.say("35=X\x01", NULL)


cdef class FixMarket(LevelMarket):
    """A day in FIX 4.4; the arguments are LevelMarket's."""

    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int
    ) -> None:
        super().__init__(FixSpeaker(midnight), symbols, seed, messages, midnight)
