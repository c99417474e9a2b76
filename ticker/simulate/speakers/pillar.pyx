"""Says a simulated market in NYSE Pillar (XDP Integrated), and cuts it into XDP packets.

A channel has one matching engine and every so many-th symbol. A frame is the channel (1 byte),
the time in ns since the epoch (8) and the message. What Pillar has no words for is not said.
Offsets: see ticker/feeds/protocols/pillar.pyx and ticker/feeds/sessions/xdp.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.feeds.market.book cimport Book, Order
from ticker.endian cimport le16, le64
from ticker.simulate.lines.capture cimport PcapWriter
from ticker.simulate.market.day cimport OVER, Day
from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.lines.little cimport put16, put32, put64
from ticker.simulate.market.resting cimport DEPTH
from ticker.simulate.market.speaker cimport Instrument, Speaker, round_lot

from ticker.simulate.market.listings import listings

cdef enum:
    HEADER = 16              # of a packet
    PAYLOAD = 1384           # bytes of messages per packet, at most
    ORIGINAL = 11
    RESET = 12
    SEQUENCE_RESET = 14      # bytes

cdef int64_t SECOND = 1000000000
cdef int64_t OPEN_TIME = 34200 * SECOND
cdef int64_t CLOSE_TIME = 57600 * SECOND


cdef class PillarSpeaker(Speaker):
    """Encodes each call as the framed messages, if any, that NYSE would send."""

    cdef uint8_t* begin(
        self, uint32_t kind, uint32_t length, const Instrument* on
    ) noexcept nogil:
        """Frame and message header; the rest of the returned message is zero."""
        cdef uint8_t* message = self.out + PREFIX
        self.out[0] = on.locate % self.channels
        put64(self.out + 1, <uint64_t>(self.midnight + self.time))
        memset(message, 0, length)
        put16(message, length)
        put16(message + 2, kind)
        self.out = message + length
        self.messages += 1
        return message

    cdef uint8_t* begin_at(
        self, uint32_t kind, uint32_t length, const Instrument* on
    ) noexcept nogil:
        """A message that says the ns of its time only, and whose it is."""
        cdef uint32_t channel = on.locate % self.channels
        cdef int64_t time = self.midnight + self.time
        cdef uint8_t* message
        if self.seconds[channel] != time // SECOND:
            self.seconds[channel] = time // SECOND
            message = self.begin(2, 16, on)
            put32(message + 4, channel + 1)
            put32(message + 12, <uint64_t>self.seconds[channel])
        message = self.begin(kind, length, on)
        put32(message + 4, <uint64_t>(time % SECOND))
        put32(message + 8, on.locate)
        return message

    cdef uint32_t price(self, const Instrument* on, uint32_t price) noexcept nogil:
        """In the symbol's scale: 4 or 5 decimals."""
        return price * 10 if on.locate & 1 else price

    cdef void directory(self, const Instrument* on) noexcept nogil:
        cdef uint8_t* message = self.begin(3, 44, on)
        cdef int i
        put32(message + 4, on.locate)
        for i in range(8):
            message[8 + i] = 0 if on.stock[i] == c" " else on.stock[i]
        put16(message + 20, 1)                       # market
        message[22] = on.locate % self.channels + 1  # engine
        message[23] = on.category
        message[24] = 5 if on.locate & 1 else 4
        message[25] = c"E" if on.fund == c"Y" else c"C"
        put16(message + 26, round_lot(on))
        put32(message + 28, self.price(on, <uint32_t>on.base))
        put16(message + 40, 1)

    # States

    cdef void security_status(
        self, const Instrument* on, char status, char halt, char session
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(34, 46, on)
        cdef int64_t time = self.midnight + self.time
        put32(message + 4, <uint64_t>(time // SECOND))
        put32(message + 8, <uint64_t>(time % SECOND))
        put32(message + 12, on.locate)
        message[20] = status
        message[21] = halt
        message[34] = c" "
        message[43] = c"~"
        message[44] = session

    cdef char session(self) noexcept nogil:
        if self.time < OPEN_TIME:
            return c"E"
        return c"O" if self.time < CLOSE_TIME else c"L"

    cdef void status(self, const Instrument* on, char state, const char* reason) noexcept nogil:
        if state == c"H":
            self.security_status(on, c"4", c"1" if reason[0] == c"M" else c"P", self.session())
        elif state == c"P":
            self.security_status(on, c"4", c"M", self.session())
        else:
            self.security_status(on, c"5", c"~", c"P" if state == c"Q" else self.session())

    cdef void operational_halt(self, const Instrument* on, char action) noexcept nogil:
        cdef bint halts = action == c"H"
        self.security_status(
            on, c"4" if halts else c"5", c"X" if halts else c"~", self.session()
        )

    cdef void short_sale(self, const Instrument* on, char action) noexcept nogil:
        self.security_status(on, c"D" if action == c"0" else c"A", c"~", 0)

    cdef void imbalance(
        self, const Instrument* on, uint64_t paired, uint64_t shares, char direction,
        uint32_t price, char cross,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin(105, 73, on)
        put32(message + 12, on.locate)
        put32(message + 20, self.price(on, price))
        put32(message + 24, paired)
        put32(message + 28, shares)
        message[38] = cross

    cdef void retail_interest(self, const Instrument* on, char interest) noexcept nogil:
        self.begin_at(114, 17, on)[16] = interest

    # Orders

    cdef void add(
        self, const Instrument* on, uint64_t reference, int side, uint32_t shares,
        uint32_t price, const char* mpid,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin_at(100, 39, on)
        self.book.add(on.locate - 1, reference, side, shares, price)
        put64(message + 16, reference)
        put32(message + 24, self.price(on, price))
        put32(message + 28, shares)
        message[32] = c"S" if side else c"B"
        if mpid != NULL:
            memcpy(message + 33, mpid, 4)

    cdef void execute(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint64_t match
    ) noexcept nogil:
        self.execute_at(
            on, reference, shares, 0, match, True, <uint32_t>self.book.find(reference).price
        )

    cdef void execute_at(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint32_t remaining,
        uint64_t match, bint printable, uint32_t price,
    ) noexcept nogil:
        cdef uint8_t* message = self.begin_at(103, 42, on)
        put64(message + 16, reference)
        put32(message + 24, match)
        put32(message + 28, self.price(on, price))
        put32(message + 32, shares)
        message[36] = printable
        memcpy(message + 38, b"@  ", 3)
        message[41] = c"I" if shares < 100 else c" "
        self.book.reduce(self.book.find(reference), shares)

    cdef void cancel(self, const Instrument* on, uint64_t reference, uint32_t shares) noexcept nogil:
        """What is left, as a modification that keeps its place."""
        cdef Order* order = self.book.find(reference)
        cdef uint8_t* message = self.begin_at(101, 35, on)
        put64(message + 16, reference)
        put32(message + 24, self.price(on, <uint32_t>order.price))
        put32(message + 28, order.size - shares)
        message[33] = c"S" if order.place - 1 else c"B"
        self.book.reduce(order, shares)

    cdef void delete(self, const Instrument* on, uint64_t reference) noexcept nogil:
        put64(self.begin_at(102, 25, on) + 16, reference)
        self.book.remove(self.book.find(reference))

    cdef void replace(
        self, const Instrument* on, uint64_t reference, uint64_t new_reference, uint32_t shares,
        uint32_t price,
    ) noexcept nogil:
        cdef Order* order = self.book.find(reference)
        cdef int side = order.place - 1
        cdef uint8_t* message = self.begin_at(104, 42, on)
        self.book.remove(order)
        self.book.add(on.locate - 1, new_reference, side, shares, price)
        put64(message + 16, reference)
        put64(message + 24, new_reference)
        put32(message + 32, self.price(on, price))
        put32(message + 36, shares)
        message[40] = c"S" if side else c"B"

    # Trades

    cdef void trade(
        self, const Instrument* on, uint32_t shares, uint32_t price, uint64_t match
    ) noexcept nogil:
        cdef uint8_t* message = self.begin_at(110, 33, on)
        put32(message + 16, match)
        put32(message + 20, self.price(on, price))
        put32(message + 24, shares)
        message[28] = 1
        memcpy(message + 29, b"@  ", 3)
        message[32] = c"I" if shares < 100 else c" "

    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil:
        cdef uint8_t* message = self.begin_at(111, 29, on)
        put32(message + 16, match)
        put32(message + 20, self.price(on, price))
        put32(message + 24, shares)
        message[28] = c"O" if kind == c"O" else (c"6" if kind == c"C" else c"5")
        self.crosses[match % REMEMBERED] = match

    cdef void broken(self, const Instrument* on, uint64_t match) noexcept nogil:
        """A cross is not cancelled but corrected, to no shares."""
        if self.crosses[match % REMEMBERED] == match:
            put32(self.begin_at(113, 24, on) + 16, match)
        else:
            put32(self.begin_at(112, 20, on) + 16, match)


cdef class PillarMarket(FramedMarket):
    """A day of a simulated market of `symbols` instruments, in framed Pillar.

    Args:
        messages: of the market, as ITCH would need them; Pillar takes about as many, and its
            references to the second.
        midnight: ns since the epoch of the date's midnight US/Eastern.
        channels: over which the symbols are spread.

    Raises:
        ValueError: no such number of symbols or channels, or too few messages for them.
    """

    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int, channels: int
    ) -> None:
        if not 1 <= channels <= CHANNELS:
            raise ValueError(f"{channels} channels: give 1 to {CHANNELS}")
        listed = listings(symbols)
        self.speaker = PillarSpeaker()
        self.speaker.book = Book(len(listed), 2 * DEPTH * len(listed))
        self.speaker.channels = channels
        self.speaker.midnight = midnight
        self.longest = LONGEST
        self.day = Day(self.speaker, listed, seed, messages, 1000.0, 0, 2_000_000)

    cdef size_t write(
        self, uint8_t* out, size_t room, uint64_t limit, uint64_t* messages
    ) noexcept nogil:
        """`limit` messages or little more into `out`; bytes used, and in `messages` how many.
        When the day is over the close of each symbol is said."""
        cdef uint64_t first = self.speaker.messages
        self.speaker.out = out
        while (self.speaker.messages - first < limit
                and self.speaker.out + LONGEST <= out + room):
            if self.day.stage != OVER:
                self.day.step()
            elif self.closed < self.day.market.count:
                self.speaker.security_status(
                    &self.day.market.instruments[self.closed], c"X", c"~", c"X"
                )
                self.closed += 1
            else:
                break
        messages[0] = self.speaker.messages - first
        return self.speaker.out - out


cdef class XdpChannelWriter(PcapWriter):
    """Cuts one channel's messages into XDP packets, a copy for each line that did not lose it."""

    def __init__(self, lines: list[tuple[str, int]], loss: float, seed: int) -> None:
        super().__init__(lines, "", 0, loss, seed)
        self.head_length = HEADER
        self.flag = ORIGINAL

    def reset(self, time: int) -> bytes:
        """The records of a Sequence Number Reset, which is message 1."""
        cdef uint8_t[SEQUENCE_RESET] message
        memset(message, 0, SEQUENCE_RESET)
        put16(message, SEQUENCE_RESET)
        put16(message + 2, 1)
        put32(message + 4, <uint64_t>time // SECOND)
        put32(message + 8, <uint64_t>time % SECOND)
        self.flag = RESET
        records = self.cut_at(bytearray(message[:SEQUENCE_RESET]), time)
        self.flag = ORIGINAL
        return records

    def cut_at(self, messages: bytearray, time: int) -> bytes:
        """The records of all packets of these messages, sent at `time`."""
        self.time = time
        return self.cut(messages)

    cdef size_t measure(self, const uint8_t* blocks, size_t size, uint32_t* count) noexcept nogil:
        cdef size_t used = 0
        cdef uint32_t messages = 0
        while used < size and used + le16(blocks + used) <= PAYLOAD:
            used += le16(blocks + used)
            messages += 1
        count[0] = messages
        return used

    cdef uint64_t time_of(self, const uint8_t* blocks) noexcept nogil:
        return self.time

    cdef void write_head(
        self, uint8_t* to, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil:
        put16(to, <uint32_t>(HEADER + length))
        to[2] = self.flag
        to[3] = count
        put32(to + 4, self.sequence)
        put32(to + 8, self.time // SECOND)
        put32(to + 12, self.time % SECOND)


cdef class XdpWriter(PcapWriter):
    """Cuts framed messages into the packets of their channels.

    All channels send what they have when one has a packet full.

    Args:
        lines: (group, port) of line A, and of line B if there is one, of each channel.
        midnight: ns since the epoch of the date's midnight, when every channel is reset.
        loss: the share of packets that each line loses, by itself.
    """

    def __init__(
        self, lines: list[list[tuple[str, int]]], midnight: int, loss: float, seed: int
    ) -> None:
        super().__init__(lines[0], "", midnight, loss, seed)
        self.channels = [
            XdpChannelWriter(pair, loss, seed + number) for number, pair in enumerate(lines)
        ]

    def header(self) -> bytes:
        """The head of the file, and the reset of each channel."""
        resets = b"".join(channel.reset(self.midnight) for channel in self.channels)
        self.packets = sum(channel.packets for channel in self.channels)
        return super().header() + resets

    def cut(self, framed: bytearray | memoryview) -> bytes:
        """The records of all packets of these messages."""
        cdef const uint8_t[::1] data = framed
        cdef size_t at = 0, size = data.shape[0], length
        cdef uint64_t time = 0
        cdef list waiting = [bytearray() for _ in self.channels]
        out = bytearray()
        while at < size:
            length = le16(&data[at] + PREFIX)
            mine = waiting[data[at]]
            if len(mine) + length > PAYLOAD:
                out += self._send(waiting, time)
            time = le64(&data[at] + 1)
            mine += data[at + PREFIX:at + PREFIX + length]
            at += PREFIX + length
        out += self._send(waiting, time)
        self.packets = sum(channel.packets for channel in self.channels)
        return bytes(out)

    def _send(self, waiting: list[bytearray], time: int) -> bytes:
        """Every channel's packet."""
        records = b"".join(
            channel.cut_at(messages, time)
            for channel, messages in zip(self.channels, waiting, strict=True) if messages
        )
        for messages in waiting:
            messages.clear()
        return records
