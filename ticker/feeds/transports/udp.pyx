"""UDP multicast and unicast: datagrams of lines A and B, and of the re-request server.

Law: this is where the feed's clock is read: a batch of datagrams has one receive time, taken
when the kernel has handed it over; what it changed is published before the next batch.

The buffers belong to the transport; a session sees one until its `receive` returns. What the
kernel drops because a socket's buffer is full is counted by it, and shown as `drops`.
Source: recvmmsg(2), ip(7), SO_MEMINFO of linux/sock_diag.h.
"""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.time cimport nanosleep, timespec

from ticker.clock cimport wall_ns
from ticker.checks cimport check
from ticker.feeds.market.market cimport Market
from ticker.feeds.session cimport LINE_RETRANSMISSION, Session
from ticker.shm.counters cimport FEED_BAD_PACKETS, count

import ipaddress
import socket
import struct
from collections.abc import Sequence

from ticker.errors import FeedError

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

RECEIVE_BUFFER = 32 << 20
"""Bytes asked of the kernel per socket: a second of a million messages, more than is granted to
most."""

SO_MEMINFO = 55
SO_RCVBUFFORCE = 33
IP_MULTICAST_ALL = 49
MEMINFO_DROPS = 8
MEMINFO = struct.Struct("9I")


cdef class UdpTransport:
    """All sockets of one feed.

    Args:
        lines: (address, port) of line A and, if there is one, line B. A multicast group is
            joined on `interface`; a unicast address is one of this machine's own.
        interface: IPv4 address of the interface that multicast comes in by.
        rerequest: (address, port) of the re-request server.
        more: (address, port, Line) of further sockets: other units' lines, gap lines.

    Raises:
        FeedError: an address that cannot be bound or joined.
    """

    def __cinit__(self, *_args: object, **_options: object) -> None:
        cdef int i
        self.sockets = []
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
    ) -> None:
        if not 1 <= len(lines) <= 2:
            raise FeedError(f"{len(lines)} lines: a feed has one or two")
        if len(lines) + len(more) >= MOST_SOCKETS:
            raise FeedError(f"{len(more)} further lines: a feed has at most {MOST_SOCKETS - 3}")
        try:
            for number, address in enumerate(lines):
                self._add(_line_socket(address, interface), number)
            for host, port, line in more:
                self._add(_line_socket((host, port), interface), line)
            if rerequest is not None:
                self.rerequest = _request_socket(rerequest)
                self._add(self.rerequest, LINE_RETRANSMISSION)
        except BaseException:
            self.close()
            raise

    def __dealloc__(self) -> None:
        free(self.buffers)

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
        for opened in self.sockets:
            opened.close()
        self.used = self.watched = 0

    def run(self, Session session not None, until_ns: int) -> None:
        """Receive, decode and publish until the wall clock says `until_ns`, the session has
        something to send, the clock was set back, `watch` has something, or a signal came."""
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
        cdef int number = recvmmsg(self.polled[index].fd, self.headers, BATCH, MSG_DONTWAIT, NULL)
        cdef int64_t now
        cdef int i
        if number <= 0:
            # Nothing there after all, or the report that nobody listens where we sent to.
            return 0
        now = wall_ns()
        check(number <= BATCH)
        for i in range(number):
            if self.headers[i].msg_hdr.msg_flags & MSG_TRUNC:
                count(session.counters, FEED_BAD_PACKETS, 1)
                continue
            session.receive(
                self.buffers + i * BUFFER, self.headers[i].msg_len, self.lines[index], now
            )
        return number

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
        return sum(
            MEMINFO.unpack(opened.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[
                MEMINFO_DROPS
            ]
            for opened in self.sockets
        )

    @property
    def receive_buffer(self) -> int:
        """Bytes that the kernel granted to the socket that answers come to, or to line A."""
        opened = self.rerequest or self.sockets[0]
        return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _line_socket(address: tuple[str, int], interface: str) -> socket.socket:
    host, port = address
    opened = _socket()
    try:
        if ipaddress.IPv4Address(host).is_multicast:
            # Bound to the group, so that nothing but the group's datagrams come in.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            opened.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            opened.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                socket.inet_aton(host) + socket.inet_aton(interface),
            )
        else:
            opened.bind((host, port))
    except (OSError, ValueError) as error:
        opened.close()
        raise FeedError(
            f"line {host}:{port}: cannot listen on interface {interface} ({error}); "
            "check `lines` and `interface`"
        ) from None
    return opened


def _request_socket(server: tuple[str, int]) -> socket.socket:
    """Connected: answers come from the server and from nobody else."""
    opened = _socket()
    try:
        opened.connect(server)
    except OSError as error:
        opened.close()
        raise FeedError(
            f"rerequest {server[0]}:{server[1]}: no way there ({error}); check `rerequest`"
        ) from None
    return opened


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    opened.setblocking(False)
    try:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return opened
