"""Says a simulated market in Polygon's JSON: trades and quotes, one text of one record each.

    [{"ev":"T","sym":"AAPL","x":12,"i":"7","p":185.4,"s":100,"c":[37],"t":1767623400123,"q":9,"z":3}]
    [{"ev":"Q","sym":"AAPL","bx":12,"bp":185.39,"bs":3,"ax":12,"ap":185.41,"as":2,"t":…,"q":10,"z":3}]

Quotes are of the best prices, whenever these change, with sizes in shares; odd lots have
condition 37. A line each.
Source: polygon.io documentation, stocks WebSocket.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport BOOK_TOP, Level, best_of
from ticker.simulate.market.levels cimport LevelMarket, LevelSpeaker
from ticker.simulate.market.resting cimport ASK, BID
from ticker.simulate.market.speaker cimport Instrument, round_lot
from ticker.simulate.speakers.text cimport put_number, put_price, put_stock, put_text


cdef class JsonSpeaker(LevelSpeaker):
    """Encodes each trade and each change of the best prices as a line."""

    cdef uint8_t* begin(self, const char* event, const Instrument* on) noexcept nogil:
        cdef uint8_t* out = put_text(self.out, '[{"ev":"')
        out = put_text(out, event)
        out = put_text(out, '","sym":"')
        out = put_stock(out, on.stock)
        self.messages += 1
        return put_text(out, '"')

    cdef void end(self, uint8_t* out) noexcept nogil:
        """Time, sequence, tape, and the end of the line."""
        out = put_text(out, ',"t":')
        out = put_number(out, <uint64_t>(self.midnight + self.time) // 1000000)
        out = put_text(out, ',"q":')
        out = put_number(out, self.messages)
        self.out = put_text(out, ',"z":3}]\n')

    cdef void changed(
        self, const Instrument* on, int side, int64_t price, int change, bint complete
    ) noexcept nogil:
        cdef Level* bid = best_of(self.book, on.locate - 1, BID)
        cdef Level* ask = best_of(self.book, on.locate - 1, ASK)
        cdef uint8_t* out
        if not complete or change != BOOK_TOP:
            return
        out = self.begin("Q", on)
        if bid != NULL:
            out = put_price(put_text(out, ',"bx":12,"bp":'), <uint64_t>bid.rank)
            out = put_number(put_text(out, ',"bs":'), bid.size)
        if ask != NULL:
            out = put_price(put_text(out, ',"ax":12,"ap":'), <uint64_t>-ask.rank)
            out = put_number(put_text(out, ',"as":'), ask.size)
        self.end(out)

    cdef void sold(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil:
        cdef uint8_t* out = self.begin("T", on)
        out = put_number(put_text(out, ',"x":12,"i":"'), match)
        out = put_price(put_text(out, '","p":'), price)
        out = put_number(put_text(out, ',"s":'), shares)
        if shares < round_lot(on):
            out = put_text(out, ',"c":[37]')
        self.end(out)


cdef class JsonMarket(LevelMarket):
    """A day in Polygon's JSON; the arguments are LevelMarket's."""

    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int
    ) -> None:
        super().__init__(JsonSpeaker(), symbols, seed, messages, midnight)
