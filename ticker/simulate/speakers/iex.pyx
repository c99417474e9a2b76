"""Says a simulated market in IEX's TOPS 1.6 or DEEP 1.0, and cuts it into IEX-TP segments.

The speaker keeps the book that the market's orders make, as TOPS and DEEP say what becomes of
a price level, not of an order: DEEP every change of a level, TOPS the top when it changed.
What IEX has no words for is not said. A frame is a little-endian u16 length and the message.
Offsets: see ticker/feeds/iex/messages.pyx and ticker/feeds/sessions/iextp.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.feeds.market.book cimport BOOK_TOP, Level, best_of
from ticker.endian cimport le16, le64
from ticker.simulate.lines.capture cimport PcapWriter
from ticker.simulate.market.levels cimport LevelMarket, LevelSpeaker, Sale
from ticker.simulate.lines.little cimport put16, put32, put64
from ticker.simulate.market.resting cimport ASK, BID
from ticker.simulate.market.speaker cimport Instrument, round_lot

cdef enum:
    HEADER = 40              # of a segment
    PAYLOAD = 1400           # bytes of message blocks per segment, at most
    COMPLETE = 1             # event flag of a level update
    ODD_LOT = 0x20
    EXTENDED_HOURS = 0x40
    SINGLE_PRICE_CROSS = 0x08

cdef int64_t OPEN_TIME = 34200 * <int64_t>1000000000
cdef int64_t CLOSE_TIME = 57600 * <int64_t>1000000000

PROTOCOLS = {"tops": 0x8003, "deep": 0x8004}


cdef class IexSpeaker(LevelSpeaker):
    """Encodes each call as the framed messages, if any, that IEX would send."""

    cdef uint8_t* begin(
        self, char kind, uint8_t flags, uint32_t length, const Instrument* on
    ) noexcept nogil:
        """Frame and common header; the rest of the returned message is zero."""
        cdef uint8_t* message = self.out + 2
        put16(self.out, length)
        memset(message, 0, length)
        message[0] = kind
        message[1] = flags
        put64(message + 2, <uint64_t>(self.midnight + self.time))
        if on != NULL:
            memcpy(message + 10, on.stock, 8)
        self.out = message + length
        self.messages += 1
        return message

    cdef void system(self, char code) noexcept nogil:
        """ITCH's Q, start of market hours, is IEX's R."""
        self.begin(c"S", c"R" if code == c"Q" else code, 10, NULL)

    cdef void directory(self, const Instrument* on) noexcept nogil:
        cdef uint8_t* message = self.begin(c"D", 0x20 if on.fund == c"Y" else 0, 31, on)
        put32(message + 18, round_lot(on))
        put64(message + 22, <uint64_t>on.base)
        message[30] = 1                          # LULD tier

    cdef void status(self, const Instrument* on, char state, const char* reason) noexcept nogil:
        memcpy(self.begin(c"H", c"O" if state == c"Q" else state, 22, on) + 18, reason, 4)

    cdef void operational_halt(self, const Instrument* on, char action) noexcept nogil:
        self.begin(c"O", c"O" if action == c"H" else c"N", 18, on)

    cdef void short_sale(self, const Instrument* on, char action) noexcept nogil:
        self.begin(c"P", action != c"0", 19, on)[18] = c" " if action == c"0" else c"A"

    cdef void imbalance(
        self, const Instrument* on, uint64_t paired, uint64_t shares, char direction,
        uint32_t price, char cross,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"A", cross, 80, on)
        put32(message + 18, paired)
        put64(message + 22, price)
        put64(message + 30, price)
        put32(message + 38, shares)
        message[42] = direction

    # Levels

    cdef void changed(
        self, const Instrument* on, int side, int64_t price, int change, bint complete
    ) noexcept nogil:
        """TOPS tells of the top once an event is complete."""
        cdef uint8_t* message
        if not self.depth:
            if complete and change == BOOK_TOP:
                self.quote(on)
            return
        message = self.begin(c"8" if side == BID else c"5", COMPLETE if complete else 0, 30, on)
        put32(message + 18, self.size_at(on, side, price))
        put64(message + 22, <uint64_t>price)

    cdef void quote(self, const Instrument* on) noexcept nogil:
        cdef Level* bid = best_of(self.book, on.locate - 1, BID)
        cdef Level* ask = best_of(self.book, on.locate - 1, ASK)
        cdef uint8_t* message = self.begin(c"Q", 0, 42, on)
        if bid != NULL:
            put32(message + 18, bid.size)
            put64(message + 22, <uint64_t>bid.rank)
        if ask != NULL:
            put64(message + 30, <uint64_t>-ask.rank)
            put32(message + 38, ask.size)

    # Trades

    cdef uint8_t sale_flags(self, const Instrument* on, uint64_t shares) noexcept nogil:
        return (
            (ODD_LOT if shares < round_lot(on) else 0)
            | (0 if OPEN_TIME <= self.time < CLOSE_TIME else EXTENDED_HOURS)
        )

    cdef void sale(
        self, char kind, uint8_t flags, const Instrument* on, uint64_t shares, uint32_t price,
        uint64_t match,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(kind, flags, 38, on)
        put32(message + 18, shares)
        put64(message + 22, price)
        put64(message + 30, match)

    cdef void sold(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil:
        self.sale(
            c"T", SINGLE_PRICE_CROSS if crossed else self.sale_flags(on, shares), on, shares,
            price, match,
        )

    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil:
        LevelSpeaker.cross(self, on, shares, price, match, kind)
        if kind == c"O" or kind == c"C":
            put64(self.begin(c"X", c"Q" if kind == c"O" else c"M", 26, on) + 18, price)

    cdef void broke(self, const Instrument* on, const Sale* sale) noexcept nogil:
        self.sale(c"B", 0, on, sale.shares, sale.price, sale.match)


cdef class IexMarket(LevelMarket):
    """A day in framed TOPS or DEEP; DEEP takes about as many messages as ITCH, TOPS fewer, as it is
    silent about what happens behind the best prices.

    Args:
        protocol: tops or deep; the others are LevelMarket's.
    """

    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int, protocol: str
    ) -> None:
        cdef IexSpeaker speaker = IexSpeaker()
        speaker.depth = protocol == "deep"
        super().__init__(speaker, symbols, seed, messages, midnight)


cdef class IexTpWriter(PcapWriter):
    """Cuts framed messages into IEX-TP segments, one copy for each line that did not lose it.

    Args:
        lines: (group, port) of line A, and of line B if there is one.
        session: 32 bits.
        protocol: tops or deep.
        loss: the share of segments that each line loses, by itself.
    """

    def __init__(
        self, lines: list[tuple[str, int]], session: int, protocol: str, loss: float, seed: int
    ) -> None:
        super().__init__(lines, "", 0, loss, seed)
        self.head_length = HEADER
        self.session_id = session
        self.protocol = PROTOCOLS[protocol]

    cdef size_t measure(self, const uint8_t* blocks, size_t size, uint32_t* count) noexcept nogil:
        cdef size_t used = 0, length
        cdef uint32_t messages = 0
        while used < size:
            length = 2 + le16(blocks + used)
            if used + length > PAYLOAD:
                break
            used += length
            messages += 1
        count[0] = messages
        return used

    cdef uint64_t time_of(self, const uint8_t* blocks) noexcept nogil:
        return le64(blocks + 2 + 2)

    cdef void write_head(
        self, uint8_t* to, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil:
        memset(to, 0, HEADER)
        to[0] = 1                                # version
        put16(to + 2, self.protocol)
        put32(to + 4, 1)                         # channel
        put32(to + 8, self.session_id)
        put16(to + 12, <uint32_t>length)
        put16(to + 14, count)
        put64(to + 16, self.offset)
        put64(to + 24, self.sequence)
        put64(to + 32, self.time_of(blocks))

    cdef void passed(self, size_t length, uint32_t count) noexcept nogil:
        self.offset += length
        self.sequence += count
