"""The sending side of MoldUDP64: paced downstream packets on two lines, and re-requests.

One thread does all of it in turn: send what is due, answer a few requests, encode ahead, wait.
Packets point into the history (history.pyx), so a message is written once and never copied.
Source: MoldUDP64 1.00.
"""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from ticker.feeds.checks cimport check
from ticker.feeds.endian cimport be16, be64
from ticker.feeds.simulate.chance cimport below, draw
from ticker.feeds.simulate.history cimport History
from ticker.feeds.simulate.itch cimport LONGEST, ItchMarket
from ticker.feeds.simulate.packet cimport (
    END_OF_SESSION,
    HEADER,
    PAYLOAD,
    measure,
    write_header,
)

cdef enum:
    CHUNK = 512              # messages encoded in one go, between two looks at the clock
    BATCHFUL = 4096          # messages that always fill a batch
    REORDERED = 100          # one packet in so many is held back, if any is

cdef int64_t SECOND = 1000000000
cdef double OPENING_RATE = 20000.0           # messages/s at least, until the market is open
cdef double MOST_BEHIND = 1.0                # s; further behind, the schedule starts anew


cdef int64_t clock(int which) noexcept nogil:
    cdef timespec now
    clock_gettime(which, &now)
    return <int64_t>now.tv_sec * SECOND + now.tv_nsec


cdef class Sender:
    """Sends an endless market at `rate` messages/s, stamped with the time of sending.

    Args:
        lines: file descriptors of connected UDP sockets, line A first.
        request_fd: the bound UDP socket of the re-request server, or -1.
        session: ten ASCII characters.
        midnight: ns since the epoch that the messages' times count from.
        loss: the share of packets that each line loses, by itself.
        reorder: by how many packets one in a hundred is late on a line; 0 for none.
    """

    def __init__(
        self, market: ItchMarket, history: History, lines: list[int], request_fd: int,
        session: bytes, midnight: int, rate: float, loss: float, reorder: int, seed: int,
    ) -> None:
        if not 1 <= len(lines) <= LINES or len(session) != 10:
            raise ValueError("give one or two lines, and a session of ten characters")
        if 4 * reorder * PAYLOAD > history.capacity:
            raise ValueError(
                f"{reorder} packets late: {history.capacity} bytes of history are too few to "
                "hold them; give more history"
            )
        self.market = market
        self.history = history
        self.line_count = len(lines)
        for index in range(self.line_count):
            self.lines[index].fd = lines[index]
        self.request_fd = request_fd
        memcpy(self.session, <const char*>session, 10)
        self.midnight = midnight
        self.rate = rate
        self.loss = min(int(loss * 2.0**64), 2**64 - 1)
        self.reorder = reorder
        self.chance.state = (seed ^ 0x6C6F7373) & 0xFFFFFFFFFFFFFFFF
        # a quarter of a second, and never more than a quarter of the history
        self.ahead = max(CHUNK, min(32768, int(rate / 4), history.capacity // (4 * LONGEST)))
        # a tick is 1 ms at high rates, else 4 ms, or 100 ms at most if messages are rarer
        self.quantum = SECOND // 1000 if rate >= 50_000 else (
            max(SECOND // 250, min(SECOND // 10, int(1e9 / rate)))
        )
        self.pace = max(rate, OPENING_RATE)

    def run(self, seconds: float) -> None:
        """Send for that long, or until a signal comes."""
        cdef int64_t until = clock(CLOCK_MONOTONIC) + <int64_t>(seconds * SECOND)
        with nogil:
            self.loop(until)

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
        cdef int count = self.line_count
        return {
            "messages": self.history.next_sequence - 1,
            "packets": [self.lines[index].sent for index in range(count)],
            "lost": [self.lines[index].lost for index in range(count)],
            "errors": [self.lines[index].errors for index in range(count)],
            "requests": self.requests,
            "unanswered": self.unanswered,
            "resent": self.resent,
            "postponed": self.postponed,
        }

    cdef int loop(self, int64_t until) noexcept nogil:
        """Work until that monotonic time; 1 if a signal came."""
        cdef int64_t now, wake
        cdef uint64_t due
        cdef timespec wait
        cdef pollfd watched
        watched.fd = self.request_fd
        watched.events = POLLIN
        while True:
            now = clock(CLOCK_MONOTONIC)
            if now >= until:
                return 0
            due = 0 if self.ending else self.due(now)
            if due:
                self.send(due)
            elif not self.ending and now - self.last_packet >= SECOND:
                self.announce(0)
            if self.serve():
                continue
            if not self.ending and self.history.waiting < self.ahead:
                self.fill()
                continue
            wake = until if self.ending else min(until, self.last_tick + self.quantum)
            wake -= clock(CLOCK_MONOTONIC)
            if wake <= 0:
                continue
            wait.tv_sec = wake // SECOND
            wait.tv_nsec = wake % SECOND
            if ppoll(&watched, 1, &wait, NULL) < 0 and errno == EINTR:
                return 1

    cdef void fill(self) noexcept nogil:
        """Encode the next messages."""
        cdef uint64_t messages
        cdef size_t size = self.market.write(
            self.history.space(), self.history.capacity // 2, CHUNK, &messages
        )
        self.history.wrote(size, messages)

    cdef uint64_t due(self, int64_t now) noexcept nogil:
        """Messages to send now: what the rate asks for, evened out after a stall.

        Behind, it catches up at twice the rate, at most 20 ms' worth at once, so that a
        stall of this process is no flood for receivers.
        """
        cdef double behind, most
        cdef int64_t elapsed = now - self.last_tick
        if elapsed < self.quantum:
            return 0
        if not self.pace_from:
            self.pace_from = self.last_packet = now
            elapsed = self.quantum
        if self.pace != self.rate and self.history.next_sequence > self.market.market.opening:
            self.pace = self.rate
            self.pace_from = now
            self.pace_sent = 0
        self.last_tick += self.quantum
        if now - self.last_tick > self.quantum:
            self.last_tick = now
        behind = <double>(now - self.pace_from) * 1e-9 * self.pace - <double>self.pace_sent
        if behind > MOST_BEHIND * self.pace + 1.0:
            self.postponed += <uint64_t>behind
            self.pace_from = now
            self.pace_sent = 0
            return 0
        most = <double>min(2 * elapsed, SECOND // 50) * 1e-9 * self.pace
        behind = min(behind, max(most, 1.0))
        return <uint64_t>behind if behind >= 1.0 else 0

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
            time = clock(CLOCK_REALTIME) - self.midnight
            while left and count < BATCH:
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

    cdef void send_line(self, Line* line, int count) noexcept nogil:
        """Send the first `count` packets on a line, except what it loses or holds back."""
        cdef unsigned int placed = 0
        cdef bint released = False
        cdef int index
        cdef Packet* packet
        for index in range(count):
            packet = &self.packets[index]
            if self.loss and draw(&self.chance) < self.loss:
                line.lost += 1
                continue
            if (
                self.reorder and not line.held_for and not released
                and below(&self.chance, REORDERED) == 0
            ):
                line.held = packet[0]
                line.held_for = 1 + below(&self.chance, self.reorder)
                continue
            self.place(placed, packet)
            placed += 1
            if line.held_for:
                line.held_for -= 1
                if not line.held_for:
                    # its bytes are being sent: not to be overwritten in this batch
                    released = True
                    self.place(placed, &line.held)
                    placed += 1
        self.flush(line, placed)

    cdef void release(self) noexcept nogil:
        """Send what is still held back."""
        cdef int index
        cdef Line* line
        for index in range(self.line_count):
            line = &self.lines[index]
            if line.held_for:
                line.held_for = 0
                self.place(0, &line.held)
                self.flush(line, 1)

    cdef void place(self, unsigned int at, const Packet* packet) noexcept nogil:
        cdef iovec* parts = &self.parts[2 * at]
        cdef mmsghdr* message = &self.vector[at]
        check(at <= BATCH)
        parts[0].iov_base = <void*>packet.header
        parts[0].iov_len = HEADER
        parts[1].iov_base = <void*>packet.blocks
        parts[1].iov_len = packet.size
        memset(message, 0, sizeof(mmsghdr))
        message.msg_hdr.msg_iov = parts
        message.msg_hdr.msg_iovlen = 2

    cdef void flush(self, Line* line, unsigned int count) noexcept nogil:
        """Send what is placed; a packet that is refused is counted and left out."""
        cdef unsigned int at = 0
        cdef int sent, refused = 0
        while at < count:
            sent = sendmmsg(line.fd, &self.vector[at], count - at, 0)
            if sent > 0:
                at += sent
                line.sent += sent
                refused = 0
            elif errno != EINTR:
                # the first error may be the report of an earlier packet (unicast, no receiver)
                line.errors += 1
                refused += 1
                if refused > 1:
                    at += 1
                    refused = 0

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
