"""Says a simulated market in Cboe PITCH 2.x.

A frame is one byte, the unit, and the message, whose first byte is its own length. Instruments
are spread over the units in turn; each unit says the second by itself, whenever it is another.
What PITCH has no words for is not said. Offsets: see ticker/feeds/protocols/pitch.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.simulate.market.day cimport Day
from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.lines.little cimport put16, put32, put64
from ticker.simulate.market.resting cimport BID, DEPTH, Resting
from ticker.simulate.market.speaker cimport Instrument, Speaker

from ticker.simulate.market.listings import listings

cdef enum:
    CENT = 100               # 1e-4 dollars
    IMAGE_ROOM = 2 * DEPTH * 48 + LONGEST    # bytes of the longest image of an instrument

cdef int64_t SECOND = 1000000000
UNIT_LIMIT = MOST_UNITS
# Added to a match number, where it was made: the first of nine base-36 digits.
cdef uint64_t INTERNAL = 0
cdef uint64_t DIGIT_9 = 2821109907456        # 36^8
cdef uint64_t AUCTION = 12 * DIGIT_9         # C
cdef uint64_t ROUTED = 27 * DIGIT_9          # R


cdef inline bint is_short(uint32_t price, uint64_t shares) noexcept nogil:
    """Whole cents in 16 bits, as shares."""
    return price % CENT == 0 and price // CENT <= 65535 and shares <= 65535


cdef class PitchSpeaker(Speaker):
    """Encodes each call as the frames, if any, that Cboe would send.

    Args:
        units: 1 to 32.
    """

    def __init__(self, units: int) -> None:
        if not 1 <= units <= MOST_UNITS:
            raise ValueError(f"{units} units: give 1 to {MOST_UNITS}")
        self.units = units
        self.keeps_references = True
        self.stamp = -1
        memset(self.seconds, 0xFF, sizeof(self.seconds))

    cdef uint8_t* begin(self, uint8_t kind, uint32_t length, const Instrument* on) noexcept nogil:
        """The message of the instrument's unit; what follows the time is zero."""
        return self.begin_unit(kind, length, unit_of(on.locate, self.units))

    cdef uint8_t* begin_unit(self, uint8_t kind, uint32_t length, uint32_t unit) noexcept nogil:
        cdef int64_t time = self.stamp if self.stamp >= 0 else self.time
        cdef int64_t second = time // SECOND
        cdef uint8_t* message
        if self.seconds[unit] != second:
            self.seconds[unit] = second
            self.out[0] = <uint8_t>unit
            self.out[1] = 6
            self.out[2] = 0x20
            put32(self.out + 3, <uint64_t>second)
            self.out += 7
            self.messages += 1
        self.out[0] = <uint8_t>unit
        message = self.out + 1
        memset(message, 0, length)
        message[0] = <uint8_t>length
        message[1] = kind
        put32(message + 2, <uint64_t>(time % SECOND))
        self.out = message + length
        self.messages += 1
        return message

    cdef void system(self, char code) noexcept nogil:
        """Of ITCH's system events the end of messages (C): each unit ends by itself."""
        cdef uint32_t unit
        if code == c"C":
            for unit in range(1, self.units + 1):
                self.begin_unit(0x2D, 6, unit)

    # Instruments

    cdef void status(self, const Instrument* on, char state, const char* reason) noexcept nogil:
        self.trading_status(on, c"H" if state == c"P" else (c"S" if state == c"h" else state), c"0")

    cdef void operational_halt(self, const Instrument* on, char action) noexcept nogil:
        self.trading_status(on, c"S" if action == c"H" else c"T", c"0")

    cdef void short_sale(self, const Instrument* on, char action) noexcept nogil:
        self.trading_status(on, c"H" if on.state == c"P" else (
            c"S" if on.state == c"h" else on.state), c"0" if action == c"0" else c"1")

    cdef void trading_status(
        self, const Instrument* on, uint8_t status, uint8_t short_sale
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(0x31, 18, on)
        memcpy(message + 6, on.stock, 8)
        message[14] = status
        message[15] = short_sale

    cdef void imbalance(
        self, const Instrument* on, uint64_t paired, uint64_t shares, char direction,
        uint32_t price, char cross,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(0x95, 47, on)
        memcpy(message + 6, on.stock, 8)
        message[14] = cross
        put64(message + 15, price)
        put32(message + 23, paired + (shares if direction == c"B" else 0))
        put32(message + 27, paired + (shares if direction == c"S" else 0))
        put64(message + 31, price)
        put64(message + 39, price)

    cdef void retail_interest(self, const Instrument* on, char interest) noexcept nogil:
        cdef uint8_t* message = self.begin(0x98, 15, on)
        memcpy(message + 6, on.stock, 8)
        message[14] = interest

    # Orders

    cdef void add(
        self, const Instrument* on, uint64_t reference, int side, uint32_t shares,
        uint32_t price, const char* mpid,
    ) noexcept nogil:
        """Short where it can be; expanded where a participant or the symbol asks for it."""
        cdef bint expanded = mpid != NULL or on.stock[6] != c" "
        cdef bint short_one = not expanded and is_short(price, shares)
        cdef uint8_t* message = self.begin(
            0x2F if expanded else (0x22 if short_one else 0x21),
            41 if expanded else (26 if short_one else 34), on,
        )
        put64(message + 6, reference)
        message[14] = c"B" if side == BID else c"S"
        if short_one:
            put16(message + 15, shares)
            memcpy(message + 17, on.stock, 6)
            put16(message + 23, price // CENT)
            message[25] = 1                  # displayed
            return
        put32(message + 15, shares)
        memcpy(message + 19, on.stock, 8 if expanded else 6)
        put64(message + (27 if expanded else 25), price)
        message[35 if expanded else 33] = 1
        if expanded:
            memset(message + 36, c" ", 4)
        if mpid != NULL:
            memcpy(message + 36, mpid, 4)

    cdef void execute(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint64_t match
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(0x23, 26, on)
        put64(message + 6, reference)
        put32(message + 14, shares)
        put64(message + 18, self.execution(match, INTERNAL))

    cdef void execute_at(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint32_t remaining,
        uint64_t match, bint printable, uint32_t price,
    ) noexcept nogil:
        """What is not to be printed here, another venue prints: it was routed there."""
        cdef uint8_t* message = self.begin(0x24, 38, on)
        put64(message + 6, reference)
        put32(message + 14, shares)
        put32(message + 18, remaining)
        put64(message + 22, self.execution(match, INTERNAL if printable else ROUTED))
        put64(message + 30, price)

    cdef void cancel(self, const Instrument* on, uint64_t reference, uint32_t shares) noexcept nogil:
        cdef bint short_one = shares <= 65535
        cdef uint8_t* message = self.begin(0x26 if short_one else 0x25, 16 if short_one else 18, on)
        put64(message + 6, reference)
        if short_one:
            put16(message + 14, shares)
        else:
            put32(message + 14, shares)

    cdef void delete(self, const Instrument* on, uint64_t reference) noexcept nogil:
        put64(self.begin(0x29, 14, on) + 6, reference)

    cdef void replace(
        self, const Instrument* on, uint64_t reference, uint64_t new_reference, uint32_t shares,
        uint32_t price,
    ) noexcept nogil:
        """An order that is modified keeps its id (`keeps_references`)."""
        cdef bint short_one = is_short(price, shares)
        cdef uint8_t* message = self.begin(0x28 if short_one else 0x27, 19 if short_one else 27, on)
        put64(message + 6, reference)
        if short_one:
            put16(message + 14, shares)
            put16(message + 16, price // CENT)
            message[18] = 1
        else:
            put32(message + 14, shares)
            put64(message + 18, price)
            message[26] = 1

    # Trades

    cdef uint64_t execution(self, uint64_t match, uint64_t origin) noexcept nogil:
        """The execution id of a match, remembered in case it is broken."""
        self.executions[match % REMEMBERED] = origin + match
        return origin + match

    cdef void print_trade(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match,
        uint64_t origin,
    ) noexcept nogil:
        cdef bint expanded = on.stock[6] != c" "
        cdef bint short_one = not expanded and is_short(price, shares)
        cdef uint8_t* message = self.begin(
            0x30 if expanded else (0x2B if short_one else 0x2A),
            43 if expanded else (33 if short_one else 41), on,
        )
        message[14] = c"B"                   # side: always
        if short_one:
            put16(message + 15, shares)
            memcpy(message + 17, on.stock, 6)
            put16(message + 23, price // CENT)
            put64(message + 25, self.execution(match, origin))
            return
        put32(message + 15, shares)
        memcpy(message + 19, on.stock, 8 if expanded else 6)
        put64(message + (27 if expanded else 25), price)
        put64(message + (35 if expanded else 33), self.execution(match, origin))

    cdef void trade(
        self, const Instrument* on, uint32_t shares, uint32_t price, uint64_t match
    ) noexcept nogil:
        self.print_trade(on, shares, price, match, INTERNAL)

    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil:
        """An auction: its trade, and its summary."""
        cdef uint8_t* message
        if shares:
            self.print_trade(on, shares, price, match, AUCTION)
        message = self.begin(0x96, 27, on)
        memcpy(message + 6, on.stock, 8)
        message[14] = kind
        put64(message + 15, price)
        put32(message + 23, shares)

    cdef void broken(self, const Instrument* on, uint64_t match) noexcept nogil:
        cdef uint64_t* execution = &self.executions[match % REMEMBERED]
        if execution[0] and execution[0] % DIGIT_9 == match:
            put64(self.begin(0x2C, 14, on) + 6, execution[0])
            execution[0] = 0


cdef class PitchMarket(FramedMarket):
    """A simulated market of `symbols` instruments whose messages are framed PITCH 2.x.

    Args:
        symbols: 1 to 65,535; the first 209 are real tickers, busiest first.
        seed: the same seed and arguments give the same bytes.
        units: over which the instruments are spread, 1 to 32.
        messages: of the whole day, as ITCH would need them; PITCH takes about as many. 0: endless.
        rate: messages per second that an endless market's own clock assumes.
        start: ns since midnight US/Eastern at which an endless one starts.
        visit_round: messages in which every instrument is said again once (day.pyx).

    Raises:
        ValueError: no such number of symbols or units, or too few messages for them.
    """

    def __init__(
        self, symbols: int, seed: int = 1, *, units: int = 4, messages: int = 0,
        rate: float = 1000.0, start: int = 0, visit_round: int = 2_000_000,
    ) -> None:
        self.speaker = PitchSpeaker(units)
        self.painter = PitchSpeaker(units)
        self.longest = LONGEST
        self.day = Day(
            self.speaker, listings(symbols), seed, messages, rate, start, visit_round
        )

    def close(self) -> None:
        """End an endless day: its last messages are each unit's End of Session."""
        self.day.close()

    def image(self, unit: int) -> list[bytes]:
        """What a spin server says of a unit after all that was said: Time, then of each
        instrument its Trading Status and its orders, the first to trade first."""
        cdef uint8_t[IMAGE_ROOM] room
        cdef uint32_t index
        messages: list[bytes] = []
        self.painter.time = self.speaker.time
        self.painter.stamp = self.speaker.stamp
        self.painter.seconds[unit] = -1
        for index in range(self.day.market.count):
            if unit_of(index + 1, self.speaker.units) == unit:
                self.painter.out = room
                self.paint(index)
                messages += parted(room[:self.painter.out - room])
        return messages

    cdef void paint(self, uint32_t index) noexcept:
        """Say the instrument of that index as it is now, by the painter."""
        cdef Instrument* on = &self.day.market.instruments[index]
        cdef Resting* orders
        cdef int side
        cdef int64_t at
        self.painter.status(on, on.state, "    ")
        for side in range(2):
            orders = self.day.market.side_of(on, side)
            for at in range(<int64_t>on.depth[side] - 1, -1, -1):
                self.painter.add(
                    on, orders[at].reference, side, orders[at].shares, orders[at].price, NULL
                )


def parted(frames: bytes) -> list[bytes]:
    """The messages of frames, without their units."""
    at = 0
    messages = []
    while at < len(frames):
        length = frames[at + 1]
        messages.append(frames[at + 1:at + 1 + length])
        at += 1 + length
    return messages
