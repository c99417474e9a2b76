"""Paced packets on two lines, what every simulated exchange sends; some are lost, some late.

One thread does all of it in turn: send what is due, serve, encode ahead, wait. Packets point
into a history (history.pyx), so a message is written once and never copied.
"""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.checks cimport check
from ticker.simulate.market.chance cimport below, draw

cdef enum:
    REORDERED = 100          # one packet in so many is held back, if any is
    SIGNALLED = 1            # why `loop` came back before its time
    READABLE = 2
    LOOKS = 16               # at two clocks; the shortest one counts

cdef int64_t SECOND = 1000000000
cdef double OPENING_RATE = 20000.0           # messages/s at least, until the market is open
cdef double MOST_BEHIND = 1.0                # s; further behind, the schedule starts anew


cdef int64_t clock(int which) noexcept nogil:
    cdef timespec now
    clock_gettime(which, &now)
    return <int64_t>now.tv_sec * SECOND + now.tv_nsec


cdef int64_t wall_ahead() noexcept nogil:
    """By how many ns the wall clock is ahead of the monotonic one, which is slewed alike."""
    cdef int64_t before, wall, took
    cdef int64_t shortest = SECOND
    cdef int64_t found = 0
    cdef int turn
    for turn in range(LOOKS):
        before = clock(CLOCK_MONOTONIC)
        wall = clock(CLOCK_REALTIME)
        took = clock(CLOCK_MONOTONIC) - before
        if took < shortest:
            shortest = took
            found = wall - before
    return found


cdef class LineSender:
    """Sends an endless market at `rate` messages/s, stamped with the time of sending.

    Args:
        lines: file descriptors of connected UDP sockets, line A first.
        loss: the share of packets that each line loses, by itself.
        reorder: by how many packets one in a hundred is late on a line; 0 for none.
        stamps_due: messages are stamped with the time at which the rate had them due instead.

    A subclass says what a packet is: `header_length` and the methods that sender.pxd names.
    """

    def __init__(
        self, lines: list[int], rate: float, loss: float, reorder: int, seed: int,
        stamps_due: bool = False,
    ) -> None:
        if not 1 <= len(lines) <= LINES:
            raise ValueError("give one or two lines")
        self.line_count = len(lines)
        for index in range(self.line_count):
            self.lines[index].fd = lines[index]
        self.watched_fd = self.request_fd = -1
        self.rate = rate
        self.stamps_due = stamps_due
        self.loss = min(int(loss * 2.0**64), 2**64 - 1)
        self.reorder = reorder
        self.chance.state = (seed ^ 0x6C6F7373) & 0xFFFFFFFFFFFFFFFF
        # a tick is 1 ms at high rates, else 4 ms, or 100 ms at most if messages are rarer
        self.quantum = SECOND // 1000 if rate >= 50_000 else (
            max(SECOND // 250, min(SECOND // 10, int(1e9 / rate)))
        )
        self.pace = max(rate, OPENING_RATE)

    def run(self, seconds: float) -> bool:
        """Send for that long, or until a signal comes. True: the watched file descriptor can be
        read before that."""
        cdef int64_t until = clock(CLOCK_MONOTONIC) + <int64_t>(seconds * SECOND)
        cdef int reason
        with nogil:
            reason = self.loop(until)
        return reason == READABLE

    def line_statistics(self) -> dict[str, list[int]]:
        """Packets, lost and errors of each line since the start."""
        cdef int count = self.line_count
        return {
            "packets": [self.lines[index].sent for index in range(count)],
            "lost": [self.lines[index].lost for index in range(count)],
            "errors": [self.lines[index].errors for index in range(count)],
        }

    # What a packet is

    cdef void send(self, uint64_t messages) noexcept nogil:
        """Send that many messages on all lines."""

    cdef void announce(self, uint32_t count) noexcept nogil:
        """A packet without messages on all lines: a heartbeat (0), or the session's end."""

    cdef bint serve(self) noexcept nogil:
        """Answer a few requests that wait; False if there was none."""
        return False

    cdef bint encode_ahead(self) noexcept nogil:
        """Get some of what will be due ready; False if there is enough."""
        return False

    cdef bint opened(self) noexcept nogil:
        """The market is open, its ceremonies are over."""
        return True

    # Pace

    cdef int loop(self, int64_t until) noexcept nogil:
        """Work until that monotonic time; else why not: SIGNALLED, READABLE."""
        cdef int64_t now, wake
        cdef uint64_t due
        cdef timespec wait
        cdef pollfd[2] watched
        memset(watched, 0, sizeof(watched))
        watched[0].fd = self.request_fd
        watched[1].fd = self.watched_fd
        watched[0].events = watched[1].events = POLLIN
        while True:
            now = clock(CLOCK_MONOTONIC)
            if now >= until:
                return 0
            due = 0 if self.ending else self.due(now)
            if due:
                self.send(due)
            elif not self.ending and now - self.last_packet >= SECOND:
                self.announce(0)
            if self.serve() or (not self.ending and self.encode_ahead()):
                continue
            wake = until if self.ending else min(until, self.last_tick + self.quantum)
            wake = max(0, wake - clock(CLOCK_MONOTONIC))
            wait.tv_sec = wake // SECOND
            wait.tv_nsec = wake % SECOND
            if ppoll(watched, 2, &wait, NULL) < 0 and errno == EINTR:
                return SIGNALLED
            if watched[1].revents:
                return READABLE

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
            self.wall_ahead = wall_ahead()
            elapsed = self.quantum
        if self.pace != self.rate and self.opened():
            self.pace = self.rate
            self.pace_from = now
            self.pace_sent = 0
        self.last_tick += self.quantum
        if now - self.last_tick > self.quantum:
            self.last_tick = now
        behind = <double>(now - self.pace_from) * 1e-9 * self.pace - <double>self.pace_sent
        self.latest = max(self.latest, <int64_t>(behind / self.pace * 1e9))
        if behind > MOST_BEHIND * self.pace + 1.0:
            self.postponed += <uint64_t>behind
            self.pace_from = now
            self.pace_sent = 0
            return 0
        most = <double>min(2 * elapsed, SECOND // 50) * 1e-9 * self.pace
        behind = min(behind, max(most, 1.0))
        return <uint64_t>behind if behind >= 1.0 else 0

    cdef int64_t stamp(self) noexcept nogil:
        """What the next message says of when it happened (wall clock): now, or, with
        `stamps_due`, when the rate had it due; then being late does not make it younger."""
        if not self.stamps_due:
            return clock(CLOCK_REALTIME)
        return (
            self.wall_ahead + self.pace_from
            + <int64_t>(<double>self.pace_sent / self.pace * 1e9)
        )

    # Lines

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
        parts[0].iov_len = self.header_length
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
