"""The sending side of MoldUDP64: downstream packets on two lines, and re-requests.

Source: MoldUDP64 1.00. Pace, losses and lines: sender.pyx.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from ticker.endian cimport be16, be64
from ticker.simulate.lines.history cimport History
from ticker.simulate.speakers.itch cimport LONGEST, ItchMarket
from ticker.simulate.lines.packet cimport (
    END_OF_SESSION,
    HEADER,
    PAYLOAD,
    measure,
    write_header,
)
from ticker.simulate.lines.sender cimport (
    BATCH,
    CLOCK_MONOTONIC,
    LineSender,
    Packet,
    clock,
    MSG_DONTWAIT,
    sendmmsg,
)

cdef enum:
    CHUNK = 512              # messages encoded in one go, between two looks at the clock
    BATCHFUL = 4096          # messages that always fill a batch

cdef int64_t SECOND = 1000000000


cdef class Sender(LineSender):
    """Sends an endless market at `rate` messages/s, stamped with the time of sending.

    Args:
        lines: file descriptors of connected UDP sockets, line A first.
        request_fd: the bound UDP socket of the re-request server, or -1.
        session: ten ASCII characters.
        midnight: ns since the epoch that the messages' times count from.
        loss: the share of packets that each line loses, by itself.
        reorder: by how many packets one in a hundred is late on a line; 0 for none.
        stamps_due: messages are stamped with the time at which the rate had them due instead.
    """

    def __init__(
        self, market: ItchMarket, history: History, lines: list[int], request_fd: int,
        session: bytes, midnight: int, rate: float, loss: float, reorder: int, seed: int,
        stamps_due: bool = False,
    ) -> None:
        super().__init__(lines, rate, loss, reorder, seed, stamps_due)
        if len(session) != 10:
            raise ValueError("give a session of ten characters")
        if 4 * reorder * PAYLOAD > history.capacity:
            raise ValueError(
                f"{reorder} packets late: {history.capacity} bytes of history are too few to "
                "hold them; give more history"
            )
        self.market = market
        self.history = history
        self.request_fd = request_fd
        self.header_length = HEADER
        memcpy(self.session, <const char*>session, 10)
        self.midnight = midnight
        # a quarter of a second, and never more than a quarter of the history
        self.ahead = max(CHUNK, min(32768, int(rate / 4), history.capacity // (4 * LONGEST)))

    def finish(self, linger: float) -> None:
        """Close the market and end the session; answer re-requests for `linger` more seconds."""
        cdef int64_t now = clock(CLOCK_MONOTONIC)
        cdef int64_t until = now + <int64_t>(linger * SECOND)
        cdef int64_t wait
        self.market.close()
        with nogil:
            self.history.discard()
            self.fill()
            self.send(self.history.waiting)
            self.release()
            self.ending = True
            wait = max(SECOND // 50, min(SECOND // 4, (until - now) // 4))
            while True:
                self.announce(END_OF_SESSION)
                now = clock(CLOCK_MONOTONIC)
                if now >= until:
                    break
                self.loop(min(until, now + wait))

    def statistics(self) -> dict[str, object]:
        """Counts since the start; packets, lost and errors are per line."""
        return {
            "messages": self.history.next_sequence - 1,
            **self.line_statistics(),
            "requests": self.requests,
            "unanswered": self.unanswered,
            "resent": self.resent,
            "postponed": self.postponed,
            "latest_us": self.latest // 1000,
        }

    cdef bint opened(self) noexcept nogil:
        return self.history.next_sequence > self.market.day.opening

    cdef bint encode_ahead(self) noexcept nogil:
        if self.history.waiting >= self.ahead:
            return False
        self.fill()
        return True

    cdef void fill(self) noexcept nogil:
        """Encode the next messages."""
        cdef uint64_t messages
        cdef size_t size = self.market.write(
            self.history.space(), self.history.capacity // 2, CHUNK, &messages
        )
        self.history.wrote(size, messages)

    cdef void send(self, uint64_t messages) noexcept nogil:
        """Send that many messages on all lines, in full packets as far as they go."""
        cdef int count, index
        cdef Packet* packet
        cdef uint64_t sequence, left = messages
        cdef uint32_t in_packet
        cdef int64_t time
        while left:
            while self.history.waiting < min(left, <uint64_t>BATCHFUL):
                in_packet = <uint32_t>self.history.waiting
                self.fill()
                if self.history.waiting == in_packet:
                    left = in_packet     # the market is closed
            count = 0
            time = self.stamp() - self.midnight
            while left and count < BATCH:
                if self.stamps_due:
                    time = self.stamp() - self.midnight
                packet = &self.packets[count]
                sequence = self.history.next_sequence
                packet.blocks = self.history.take(PAYLOAD, left, time, &packet.size, &in_packet)
                if not in_packet:
                    break
                write_header(packet.header, self.session, sequence, in_packet)
                left -= in_packet
                self.pace_sent += in_packet
                count += 1
            if not count:
                return
            for index in range(self.line_count):
                self.send_line(&self.lines[index], count)
            self.last_packet = clock(CLOCK_MONOTONIC)
            self.serve()

    cdef void announce(self, uint32_t count) noexcept nogil:
        """A packet without messages on all lines: heartbeat (0) or end of session."""
        cdef int index
        cdef Packet* packet = &self.packets[0]
        write_header(
            packet.header, self.session, self.history.next_sequence, count
        )
        packet.blocks = NULL
        packet.size = 0
        for index in range(self.line_count):
            self.place(0, packet)
            self.flush(&self.lines[index], 1)
        self.last_packet = clock(CLOCK_MONOTONIC)

    cdef bint serve(self) noexcept nogil:
        """Answer a few requests that wait; False if there was none."""
        cdef uint8_t[64] request
        cdef sockaddr_in source
        cdef unsigned int length
        cdef ssize_t size
        cdef int turn
        if self.request_fd < 0:
            return False
        for turn in range(REQUESTS):
            length = sizeof(sockaddr_in)
            size = recvfrom(
                self.request_fd, request, sizeof(request), MSG_DONTWAIT,
                <sockaddr*>&source, &length,
            )
            if size < 0:
                return turn > 0
            self.requests += 1
            if not self.answer(request, size, &source, length):
                self.unanswered += 1
        return True

    cdef bint answer(
        self, const uint8_t* request, ssize_t size, sockaddr_in* source, unsigned int length
    ) noexcept nogil:
        """Send the asked range from where it starts, as far as REPLY_PACKETS go.

        False, and nothing is sent, for what is no request of this session, and for what is not
        retained or not sent yet: the requester asks again or gives up (MoldUDP64 1.00, 3.2).
        """
        cdef uint64_t sequence, wanted
        cdef const uint8_t* blocks
        cdef size_t left
        cdef uint32_t count
        cdef unsigned int placed = 0
        cdef Packet* packet
        if size < HEADER or memcmp(request, self.session, 10) != 0:
            return False
        sequence = be64(request + 10)
        wanted = be16(request + 18)
        blocks = self.history.find(sequence, &left)
        if blocks == NULL or not wanted:
            return False
        while left and wanted and placed < REPLY_PACKETS:
            packet = &self.packets[placed]
            packet.blocks = blocks
            packet.size = measure(blocks, left, PAYLOAD, wanted, &count)
            write_header(packet.header, self.session, sequence, count)
            self.place(placed, packet)
            self.vector[placed].msg_hdr.msg_name = source
            self.vector[placed].msg_hdr.msg_namelen = length
            placed += 1
            blocks += packet.size
            left -= packet.size
            sequence += count
            wanted -= count
            self.resent += count
        return sendmmsg(self.request_fd, self.vector, placed, MSG_DONTWAIT) > 0
