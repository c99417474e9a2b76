"""Says a simulated market in Nasdaq TotalView-ITCH 5.0, as BinaryFILE frames it.

A frame is a big-endian u16 length and the message, which is a message block of MoldUDP64 as
well: captures and packets are cut from the same bytes. Offsets: Nasdaq TotalView-ITCH 5.0,
section 4; every message starts type@0, stock locate@1, tracking number@3, timestamp@5 (u48).
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.simulate.market.day cimport OVER, Day
from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.lines.packet cimport put16, put32, put64
from ticker.simulate.market.resting cimport BID
from ticker.simulate.market.speaker cimport Instrument, Speaker, round_lot

from ticker.simulate.market.listings import listings


cdef class ItchSpeaker(Speaker):
    """Encodes each call as one framed message."""

    cdef uint8_t* begin(self, char kind, uint32_t length, uint32_t locate) noexcept nogil:
        """Frame and common header; the caller fills the returned message from byte 11 on."""
        cdef uint8_t* message = self.out + 2
        put16(self.out, length)
        message[0] = kind
        put16(message + 1, locate)
        put16(message + 3, 0)
        put64(message + 5, <uint64_t>self.time << 16)
        self.out = message + length
        return message

    cdef void system(self, char code) noexcept nogil:
        self.begin(c"S", 12, 0)[11] = code

    cdef void directory(self, const Instrument* on) noexcept nogil:
        cdef uint8_t* message = self.begin(c"R", 39, on.locate)
        memcpy(message + 11, on.stock, 8)
        message[19] = on.category
        message[20] = c"N"                       # financial status: normal
        put32(message + 21, round_lot(on))
        memcpy(message + 25, "NCZ PNN1NNNNNN", 14)
        message[26] = c"Q" if on.fund == c"Y" else c"C"
        memcpy(message + 27, "E " if on.fund == c"Y" else "Z ", 2)
        message[33] = on.fund
        put32(message + 34, 0)                   # leverage
        message[38] = c"N"

    cdef void status(self, const Instrument* on, char state, const char* reason) noexcept nogil:
        cdef uint8_t* message = self.begin(c"H", 25, on.locate)
        memcpy(message + 11, on.stock, 8)
        message[19] = state
        message[20] = c" "
        memcpy(message + 21, reason, 4)

    cdef void operational_halt(self, const Instrument* on, char action) noexcept nogil:
        cdef uint8_t* message = self.begin(c"h", 21, on.locate)
        memcpy(message + 11, on.stock, 8)
        message[19] = c"Q"
        message[20] = action

    cdef void add(
        self, const Instrument* on, uint64_t reference, int side, uint32_t shares,
        uint32_t price, const char* mpid,
    ) noexcept nogil:
        cdef uint8_t* message
        if mpid == NULL:
            message = self.begin(c"A", 36, on.locate)
        else:
            message = self.begin(c"F", 40, on.locate)
            memcpy(message + 36, mpid, 4)
        put64(message + 11, reference)
        message[19] = c"B" if side == BID else c"S"
        put32(message + 20, shares)
        memcpy(message + 24, on.stock, 8)
        put32(message + 32, price)

    cdef void execute(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint64_t match
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"E", 31, on.locate)
        put64(message + 11, reference)
        put32(message + 19, shares)
        put64(message + 23, match)

    cdef void execute_at(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint32_t remaining,
        uint64_t match, bint printable, uint32_t price,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"C", 36, on.locate)
        put64(message + 11, reference)
        put32(message + 19, shares)
        put64(message + 23, match)
        message[31] = c"Y" if printable else c"N"
        put32(message + 32, price)

    cdef void cancel(self, const Instrument* on, uint64_t reference, uint32_t shares) noexcept nogil:
        cdef uint8_t* message = self.begin(c"X", 23, on.locate)
        put64(message + 11, reference)
        put32(message + 19, shares)

    cdef void delete(self, const Instrument* on, uint64_t reference) noexcept nogil:
        put64(self.begin(c"D", 19, on.locate) + 11, reference)

    cdef void replace(
        self, const Instrument* on, uint64_t reference, uint64_t new_reference, uint32_t shares,
        uint32_t price,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"U", 35, on.locate)
        put64(message + 11, reference)
        put64(message + 19, new_reference)
        put32(message + 27, shares)
        put32(message + 31, price)

    cdef void trade(
        self, const Instrument* on, uint32_t shares, uint32_t price, uint64_t match
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"P", 44, on.locate)
        put64(message + 11, 0)                   # order reference and side: always 0 and B
        message[19] = c"B"
        put32(message + 20, shares)
        memcpy(message + 24, on.stock, 8)
        put32(message + 32, price)
        put64(message + 36, match)

    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"Q", 40, on.locate)
        put64(message + 11, shares)
        memcpy(message + 19, on.stock, 8)
        put32(message + 27, price)
        put64(message + 31, match)
        message[39] = kind

    cdef void broken(self, const Instrument* on, uint64_t match) noexcept nogil:
        put64(self.begin(c"B", 19, on.locate) + 11, match)

    cdef void imbalance(
        self, const Instrument* on, uint64_t paired, uint64_t shares, char direction,
        uint32_t price, char cross,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(c"I", 50, on.locate)
        put64(message + 11, paired)
        put64(message + 19, shares)
        message[27] = direction
        memcpy(message + 28, on.stock, 8)
        put32(message + 36, price)               # far, near and current reference price
        put32(message + 40, price)
        put32(message + 44, price)
        message[48] = cross
        message[49] = c"L"                       # near within 1 % of the reference price

    cdef void collar(self, const Instrument* on, uint32_t price) noexcept nogil:
        cdef uint8_t* message = self.begin(c"J", 35, on.locate)
        memcpy(message + 11, on.stock, 8)
        put32(message + 19, price)
        put32(message + 23, price + price // 20)
        put32(message + 27, price - price // 20)
        put32(message + 31, 0)                   # extensions of the auction

    cdef void short_sale(self, const Instrument* on, char action) noexcept nogil:
        cdef uint8_t* message = self.begin(c"Y", 20, on.locate)
        memcpy(message + 11, on.stock, 8)
        message[19] = action

    cdef void market_maker(self, const Instrument* on, const char* mpid, char state) noexcept nogil:
        cdef uint8_t* message = self.begin(c"L", 26, on.locate)
        memcpy(message + 11, mpid, 4)
        memcpy(message + 15, on.stock, 8)
        message[23] = c"Y"                       # primary market maker, mode normal
        message[24] = c"N"
        message[25] = state

    cdef void retail_interest(self, const Instrument* on, char interest) noexcept nogil:
        cdef uint8_t* message = self.begin(c"N", 20, on.locate)
        memcpy(message + 11, on.stock, 8)
        message[19] = interest

    cdef void offering(self, const Instrument* on, uint32_t second, uint32_t price) noexcept nogil:
        cdef uint8_t* message = self.begin(c"K", 28, on.locate)
        memcpy(message + 11, on.stock, 8)
        put32(message + 19, second)
        message[23] = c"A"                       # anticipated
        put32(message + 24, price)

    cdef void direct_listing(self, const Instrument* on, uint32_t price) noexcept nogil:
        cdef uint8_t* message = self.begin(c"O", 48, on.locate)
        memcpy(message + 11, on.stock, 8)
        message[19] = c"Y"
        put32(message + 20, price - price // 5)  # allowed prices, then the near execution
        put32(message + 24, price + price // 5)
        put32(message + 28, price)
        put64(message + 32, <uint64_t>self.time)
        put32(message + 40, price - price // 10)
        put32(message + 44, price + price // 10)

    cdef void breaker_levels(self, uint64_t price) noexcept nogil:
        cdef uint8_t* message = self.begin(c"V", 35, 0)
        put64(message + 11, price * 9300)        # Price(8): 7, 13 and 20 % down
        put64(message + 19, price * 8700)
        put64(message + 27, price * 8000)

    cdef void breaker_breached(self, char level) noexcept nogil:
        self.begin(c"W", 12, 0)[11] = level


cdef class ItchMarket(FramedMarket):
    """A simulated market of `symbols` instruments whose messages are framed ITCH 5.0.

    Args:
        symbols: 1 to 65,535; the first 209 are real tickers, busiest first.
        seed: the same seed and arguments give the same bytes.
        messages: the whole day's, 03:00 to 20:05 with trading over 09:30 to 16:00; or 0: endless.
        rate: messages per second that an endless market's own clock assumes.
        start: ns since midnight US/Eastern at which an endless one starts.
        visit_round: messages in which every instrument is said again once (day.pyx).

    Raises:
        ValueError: no such number of symbols, or too few messages for them.
    """

    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int = 0, rate: float = 1000.0,
        start: int = 0, visit_round: int = 2_000_000,
    ) -> None:
        self.speaker = ItchSpeaker()
        self.longest = LONGEST
        self.day = Day(
            self.speaker, listings(symbols), seed, messages, rate, start, visit_round
        )

    cdef size_t write(
        self, uint8_t* out, size_t room, uint64_t limit, uint64_t* messages
    ) noexcept nogil:
        """Up to `limit` messages into `out`; the bytes used, and in `messages` how many."""
        cdef uint64_t first = self.day.said
        cdef uint64_t last = first + limit
        self.speaker.out = out
        while (
            self.day.said < last and self.day.stage != OVER
            and self.speaker.out + LONGEST <= out + room
        ):
            self.day.step()
        messages[0] = self.day.said - first
        return self.speaker.out - out

    def close(self) -> None:
        """End an endless day: the next three messages are its last (system events M, E, C)."""
        self.day.close()

    @property
    def opening(self) -> int:
        """Messages from start of messages to the opening cross, both included."""
        return self.day.opening

    @property
    def said(self) -> int:
        """Messages so far."""
        return self.day.said

    @property
    def over(self) -> bool:
        """End of messages has been said."""
        return self.day.stage == OVER
