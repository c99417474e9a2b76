"""UDP multicast and unicast: datagrams of lines A and B, and of the re-request server.

Law: this is where the feed's clock is read: a batch of datagrams has one receive time, taken
when the kernel has handed it over; what it changed is published before the next batch.

The buffers belong to the transport; a session sees one until its `receive` returns. What the
kernel drops because a socket's buffer is full is counted by it, and shown as `drops`.

Where the sources of the lines are known, what comes from elsewhere is counted and not looked at.
Source: recvmmsg(2), ip(7).
"""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from posix.time cimport nanosleep, timespec

from ticker.clock cimport wall_ns
from ticker.checks cimport check
from ticker.feeds.market.market cimport Market
from ticker.feeds.session cimport LINE_RETRANSMISSION, Session
from ticker.shm.counters cimport FEED_BAD_PACKETS, FEED_FOREIGN_PACKETS, count

import socket
from collections.abc import Sequence

from ticker.errors import FeedError
from ticker.feeds.transports.datagram_sockets import (
    Witness,
    drops_of,
    is_multicast,
    line_socket,
    request_socket,
)

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
        MSG_TRUNC
    int recvmmsg(int fd, mmsghdr* vector, unsigned int length, int flags, timespec* timeout)

cdef extern from "<poll.h>" nogil:
    enum:
        POLLIN
    int ppoll(pollfd* fds, unsigned long number, const timespec* timeout, void* signals)

# docs/decisions/gathering-datagrams.md
cdef int64_t BUSY_NS = 50000     # a wait and its batch that were shorter: the feed is busy
cdef int64_t GATHER_NS = 50000
# With a clock that was set back, a server is not left for longer than this.
cdef int64_t LONGEST_LEAVE_NS = 60000000000


cdef class UdpTransport:
    """All sockets of one feed.

    Args:
        lines: (address, port) of line A and, if there is one, line B. A multicast group is
            joined on `interface`; a unicast address is one of this machine's own.
        interface: IPv4 address of the interface that multicast comes in by.
        rerequest: (address, port) of the re-request server.
        more: (address, port, Line) of further sockets: other units' lines, gap lines.
        sources: IPv4 addresses that send on the lines; none: any sender is believed.

    Raises:
        FeedError: an address that cannot be bound or joined.
    """

    def __cinit__(self, *_args: object, **_options: object) -> None:
        cdef int i
        self.sockets = []
        self.answers_fd = -1
        self.buffers = <uint8_t*>calloc(BATCH, BUFFER)
        if self.buffers == NULL:
            raise MemoryError("no memory for datagrams")
        memset(self.headers, 0, sizeof(self.headers))
        for i in range(BATCH):
            self.vectors[i].iov_base = self.buffers + i * BUFFER
            self.vectors[i].iov_len = BUFFER
            self.headers[i].msg_hdr.msg_iov = &self.vectors[i]
            self.headers[i].msg_hdr.msg_iovlen = 1

    def __init__(
        self, lines: list[tuple[str, int]], *, interface: str = "127.0.0.1",
        rerequest: tuple[str, int] | None = None, more: Sequence[tuple[str, int, int]] = (),
        sources: Sequence[str] = (),
    ) -> None:
        self.witnesses = []
        if len(sources) > MOST_SOURCES:
            raise FeedError(f"source: {len(sources)} addresses; a feed has at most {MOST_SOURCES}")
        if not 1 <= len(lines) <= 2:
            raise FeedError(f"{len(lines)} lines: a feed has one or two")
        if len(lines) + len(more) >= MOST_SOCKETS:
            raise FeedError(f"{len(more)} further lines: a feed has at most {MOST_SOCKETS - 3}")
        try:
            self._know_sources(sources)
            own = [(host, port, number) for number, (host, port) in enumerate(lines)]
            for host, port, line in (*own, *more):
                self._add(line_socket((host, port), interface, sources), line)
                # To a group that was joined for its sources, the kernel lets nobody else send.
                self.checked[self.used - 1] = self.source_count > 0 and not is_multicast(host)
            if sources:
                groups = {(host, port) for host, port, _ in (*own, *more) if is_multicast(host)}
                self.witnesses = [Witness(each, interface, sources) for each in sorted(groups)]
            if rerequest is not None:
                self.rerequest = request_socket(rerequest)
                self.answers_fd = self.rerequest.fileno()
                self._add(self.rerequest, LINE_RETRANSMISSION)
        except BaseException:
            self.close()
            raise

    def __dealloc__(self) -> None:
        free(self.buffers)

    def _know_sources(self, sources: Sequence[str]) -> None:
        cdef bytes packed
        cdef int i
        for i in range(len(sources)):
            packed = socket.inet_aton(sources[i])
            memcpy(&self.sources[i], <const char*>packed, 4)
        self.source_count = len(sources)
        for i in range(BATCH if sources else 0):
            self.headers[i].msg_hdr.msg_name = &self.names[i]

    def _add(self, opened: socket.socket, line: int) -> None:
        self.sockets.append(opened)
        self.polled[self.used].fd = opened.fileno()
        self.polled[self.used].events = POLLIN
        self.lines[self.used] = line
        self.used += 1

    def watch(self, fd: int) -> None:
        """From now on `run` returns when `fd` can be read; call it after all lines are there."""
        self.polled[self.used].fd = fd
        self.polled[self.used].events = POLLIN
        self.watched = 1

    def close(self) -> None:
        for opened in (*self.sockets, *self.witnesses):
            opened.close()
        self.used = self.watched = 0

    def run(self, Session session not None, until_ns: int) -> None:
        """Receive, decode and publish until the wall clock says `until_ns`, the session has
        something to send, the clock was set back, `watch` has something, a rebuild may be over,
        or a signal came."""
        cdef Market market = session.protocol.market
        cdef int64_t until = until_ns
        cdef int64_t since = wall_ns()
        with nogil:
            while self._turn(session, market, since, until):
                pass

    cdef bint _turn(
        self, Session session, Market market, int64_t since_ns, int64_t until_ns
    ) noexcept nogil:
        """One wait, and one batch of each socket that has something."""
        cdef int64_t now = wall_ns()
        cdef int64_t quiet_since = now
        cdef int i
        cdef int received = 0
        if not since_ns <= now < min(until_ns, session.deadline):
            return False
        if session.ignore_until and self.answers_fd >= 0:
            # A server that sends nothing but what nobody asked for is not listened to.
            self.polled[self.used - 1].fd = (
                -1 if 0 < session.ignore_until - now <= LONGEST_LEAVE_NS else self.answers_fd
            )
        if self._poll(min(until_ns, session.deadline) - now) < 0:
            return False
        for i in range(self.used):
            if self.polled[i].revents:
                received += self._receive(i, session)
        if received and market is not None:
            now = wall_ns()
            market.flush(now)
            if market.publisher.publishing:
                session.save_resume_point()
            elif 0 < session.joined_at <= session.next_expected_sequence:
                return False  # a rebuild may be over
            if received < BATCH and now - quiet_since < BUSY_NS:
                self._gather()
        return not (self.watched and self.polled[self.used].revents)

    cdef void _gather(self) noexcept nogil:
        """The last wait and its batch were short: datagrams come faster than one by one is worth
        a wake-up. Let some more of them come."""
        cdef timespec wait
        wait.tv_sec = 0
        wait.tv_nsec = GATHER_NS
        nanosleep(&wait, NULL)

    cdef int _poll(self, int64_t timeout_ns) noexcept nogil:
        """-1: a signal came."""
        cdef timespec timeout
        timeout.tv_sec = timeout_ns // 1000000000
        timeout.tv_nsec = timeout_ns % 1000000000
        return ppoll(self.polled, self.used + self.watched, &timeout, NULL)

    cdef int _receive(self, int index, Session session) noexcept nogil:
        """One batch of one socket; how many datagrams."""
        cdef int number
        cdef int64_t now
        cdef int i
        if self.checked[index]:
            for i in range(BATCH):
                self.headers[i].msg_hdr.msg_namelen = sizeof(sockaddr_in)
        number = recvmmsg(self.polled[index].fd, self.headers, BATCH, MSG_DONTWAIT, NULL)
        if number <= 0:
            # Nothing there after all, or the report that no process listens at the address.
            return 0
        now = wall_ns()
        check(number <= BATCH)
        for i in range(number):
            if self.headers[i].msg_hdr.msg_flags & MSG_TRUNC:
                count(session.counters, FEED_BAD_PACKETS, 1)
                continue
            if self.checked[index] and not self._is_source(self.names[i].sin_addr.s_addr):
                count(session.counters, FEED_FOREIGN_PACKETS, 1)
                continue
            session.receive(
                self.buffers + i * BUFFER, self.headers[i].msg_len, self.lines[index], now
            )
        return number

    cdef bint _is_source(self, uint32_t address) noexcept nogil:
        cdef int i
        for i in range(self.source_count):
            if self.sources[i] == address:
                return True
        return False

    def send(self, requests: list[bytes]) -> None:
        """To the re-request server. What cannot be sent is repeated by the session's timeout."""
        for request in requests:
            try:
                self.rerequest.send(request)
            except OSError:
                return

    @property
    def drops(self) -> int:
        """Datagrams that the kernel dropped because a socket's buffer was full."""
        return sum(map(drops_of, self.sockets))

    @property
    def foreign(self) -> int:
        """Datagrams that strangers sent to the groups, and that no line's socket was given."""
        return sum(witness.count() for witness in self.witnesses)

    @property
    def receive_buffer(self) -> int:
        """Bytes that the kernel granted to the socket that answers come to, or to line A."""
        opened = self.rerequest or self.sockets[0]
        return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
