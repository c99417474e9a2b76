"""The sending side of Cboe's sequenced units: datagrams on two lines, replays on the gap line.

Units send one after the other, line B in smaller datagrams than line A. Nothing is encoded
before it is sent, so that an image (pitch.pyx) is of exactly what was sent. Pace, losses and
lines: sender.pyx; who asks for replays and images: servers/cboe.py.
Source: Cboe US Equities Multicast PITCH 2.41.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.simulate.market.day cimport OVER, TRADING
from ticker.simulate.lines.history cimport History
from ticker.simulate.lines.little cimport put16, put32
from ticker.simulate.speakers.pitch cimport MOST_UNITS, PitchMarket
from ticker.simulate.lines.sender cimport (
    BATCH,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    Line,
    LineSender,
    Packet,
    clock,
)

cdef enum:
    PAYLOAD_A = 1400         # bytes of messages per datagram, at most
    PAYLOAD_B = 1000
    PAYLOAD_GAP = 1200
    MOST_IN_PACKET = 255

cdef int64_t SECOND = 1000000000
PAYLOAD = PAYLOAD_A


cdef class CboeSender(LineSender):
    """Sends an endless market at `rate` messages/s, stamped with the time of sending.

    Args:
        histories: of each unit, from unit 1 on.
        lines: file descriptors of connected UDP sockets, line A first.
        gap_fd: of the gap line, or -1.
        watched_fd: when it can be read, `run` returns before its time; or -1.
        midnight: ns since the epoch that the messages' times count from.
    """

    def __init__(
        self, market: PitchMarket, histories: list[History], lines: list[int], gap_fd: int,
        watched_fd: int, midnight: int, rate: float, loss: float, reorder: int, seed: int,
    ) -> None:
        super().__init__(lines, rate, loss, reorder, seed)
        if len(histories) != market.speaker.units:
            raise ValueError(f"{len(histories)} histories: one for each unit")
        if 4 * reorder * PAYLOAD_A > histories[0].capacity:
            raise ValueError(
                f"{reorder} packets late: {histories[0].capacity} bytes of a unit's history are "
                "too few to hold them; give more history"
            )
        self.market = market
        self.histories = histories
        self.unit_count = len(histories)
        for index in range(self.unit_count):
            self.units[index + 1] = <void*>histories[index]
        self.header_length = HEADER
        self.gap_line[0].fd = gap_fd
        self.watched_fd = watched_fd
        self.midnight = midnight

    def finish(self) -> None:
        """Close the market and end every unit."""
        self.market.close()
        with nogil:
            self.send(<uint64_t>-1)
            self.release()
            self.ending = True

    def statistics(self) -> dict[str, object]:
        """Counts since the start; packets, lost and errors are per line."""
        return {
            "messages": sum(self.next_sequence(unit) - 1 for unit in range(1, self.unit_count + 1)),
            **self.line_statistics(),
            "resent": self.resent,
            "postponed": self.postponed,
        }

    cdef bint opened(self) noexcept nogil:
        return self.market.day.stage >= TRADING

    # The lines

    cdef void send(self, uint64_t messages) noexcept nogil:
        cdef uint32_t unit
        cdef uint64_t said, left = messages
        while left and self.market.day.stage != OVER:
            self.market.speaker.stamp = clock(CLOCK_REALTIME) - self.midnight
            said = self.say(min(left, <uint64_t>CHUNK))
            self.pace_sent += said
            left -= min(left, said)
            for unit in range(1, self.unit_count + 1):
                self.send_unit(unit)
        self.last_packet = clock(CLOCK_MONOTONIC)

    cdef uint64_t say(self, uint64_t limit) noexcept nogil:
        """The next messages into the histories of their units; how many."""
        cdef uint64_t messages
        cdef size_t size = self.market.write(self.frames, ROOM, limit, &messages)
        cdef size_t at = 0
        cdef uint8_t length
        cdef uint32_t unit
        while at < size:
            unit = self.frames[at]
            length = self.frames[at + 1]
            memcpy((<History>self.units[unit]).space(), self.frames + at + 1, length)
            (<History>self.units[unit]).wrote(length, 1)
            at += 1 + length
        return messages

    cdef void send_unit(self, uint32_t unit) noexcept nogil:
        """What a unit has to send, on all lines."""
        cdef uint64_t sequence = (<History>self.units[unit]).next_sequence
        cdef uint64_t at
        cdef const uint8_t* blocks
        cdef const uint8_t* left
        cdef size_t size, rest
        cdef uint32_t count
        cdef int line, packets, packet
        if not (<History>self.units[unit]).waiting:
            return
        blocks = (<History>self.units[unit]).take(ROOM, <uint64_t>-1, -1, &size, &count)
        for line in range(self.line_count):
            left = blocks
            rest = size
            at = sequence
            while rest:
                packets = self.prepare(
                    unit, at, &left, &rest, PAYLOAD_B if line else PAYLOAD_A, <uint64_t>-1
                )
                for packet in range(packets):
                    at += self.packets[packet].header[2]
                self.send_line(&self.lines[line], packets)

    cdef int prepare(
        self, uint32_t unit, uint64_t sequence, const uint8_t** blocks, size_t* size, size_t room,
        uint64_t limit,
    ) noexcept nogil:
        """Cut messages into `packets`, up to BATCH; how many. `blocks` and `size` move on."""
        cdef Packet* packet
        cdef const uint8_t* at = blocks[0]
        cdef const uint8_t* end = at + size[0]
        cdef int packets = 0
        cdef uint32_t count
        while at < end and packets < BATCH and limit:
            packet = &self.packets[packets]
            packet.blocks = at
            count = 0
            while (at < end and count < MOST_IN_PACKET and count < limit
                    and at + at[0] <= packet.blocks + room):
                at += at[0]
                count += 1
            packet.size = at - packet.blocks
            self.write_head(packet.header, unit, sequence, packet.size, count)
            sequence += count
            limit -= count
            packets += 1
        blocks[0] = at
        size[0] = end - at
        return packets

    cdef void write_head(
        self, uint8_t* at, uint32_t unit, uint64_t sequence, size_t size, uint32_t count
    ) noexcept nogil:
        put16(at, HEADER + size)
        at[2] = <uint8_t>count
        at[3] = <uint8_t>unit
        put32(at + 4, sequence)

    cdef void announce(self, uint32_t count) noexcept nogil:
        """A heartbeat of each unit, with the sequence that it will send next."""
        cdef uint32_t unit
        cdef int line
        cdef Packet* packet = &self.packets[0]
        packet.blocks = NULL
        packet.size = 0
        for unit in range(1, self.unit_count + 1):
            self.write_head(packet.header, unit, (<History>self.units[unit]).next_sequence, 0, 0)
            for line in range(self.line_count):
                self.place(0, packet)
                self.flush(&self.lines[line], 1)
        self.last_packet = clock(CLOCK_MONOTONIC)

    def heartbeat(self) -> None:
        """Announce every unit's next sequence on all lines."""
        self.announce(0)

    # Replays and images

    def next_sequence(self, unit: int) -> int:
        """Of a unit's next message."""
        cdef History history = self.histories[unit - 1]
        return history.next_sequence

    def retained(self, unit: int, sequence: int, count: int) -> bool:
        """All of these messages were sent, and the first of them is still known."""
        cdef History history = self.histories[unit - 1]
        cdef size_t size
        if not 0 < sequence <= sequence + count <= history.next_sequence:
            return False
        return history.find(sequence, &size) != NULL

    def replay(self, unit: int, sequence: int, count: int) -> None:
        """Send `retained` messages on the gap line, in packets of its own framing."""
        cdef History history = self.histories[unit - 1]
        cdef uint64_t first = sequence, left = count
        cdef size_t size
        cdef const uint8_t* blocks = history.find(first, &size)
        cdef int packets, packet
        self.resent += left
        while left and blocks != NULL and size:
            packets = self.prepare(unit, first, &blocks, &size, PAYLOAD_GAP, left)
            for packet in range(packets):
                first += self.packets[packet].header[2]
                left -= self.packets[packet].header[2]
                self.place(packet, &self.packets[packet])
            self.flush(&self.gap_line[0], packets)

    def image(self, unit: int) -> tuple[int, list[bytes]]:
        """Sequence of the last message that an image covers, and the image's messages."""
        return self.next_sequence(unit) - 1, self.market.image(unit)
