"""The table of all connections of a gateway worker: their places, sending, closing.

Out: bytes to sockets. Law: what a client is due and its socket does not take waits, at most
`max_outbound` bytes of it; no connection is freed before reap() (reception.pyx), so
numbers stay good through a turn.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.errno cimport EAGAIN, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from posix.unistd cimport close

from ticker.gateway.sockets.frames cimport MAX_CONTROL, frame_end, release, write_close
from ticker.gateway.sockets.outbound cimport Outbound, drop, keep, took
from ticker.gateway.sockets.sealing cimport push_records, seal
from ticker.gateway.sockets.sockets cimport (
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, EPOLLRDHUP,
    MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR, address_of, bound_silence, epoll_create1, epoll_ctl,
    epoll_event, send, shutdown,
)
from ticker.shm.counters cimport (
    GATEWAY_BYTES_SENT, GATEWAY_CONNECTIONS_ACCEPTED, GATEWAY_SEND_BLOCKED, GATEWAY_SLOW_CLOSED, count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CACHE_LINE

from ticker.shm.layout import names_of

ENCODING_NAMES = names_of(Encoding, "", end="ENCODINGS")
cdef int64_t HALF_MESSAGE_NS = 5000000000
cdef int64_t LINGER_NS = 2000000000


assert sizeof(Connection) % CACHE_LINE == 0, "places begin at cache lines"


cdef class ConnectionTable:
    """Places for `capacity` connections. Sizes in bytes, times in ns; `counters` is the
    gateway's own, writable segment."""

    def __cinit__(
        self, Mapping counters not None, capacity: int, max_outbound: int, slow_timeout: int,
        ping_interval: int, head_timeout: int,
    ) -> None:
        self.mapping = counters
        self.counters = counters.counters
        self.capacity = capacity
        self.max_outbound = max_outbound
        self.slow_timeout = slow_timeout
        self.ping_interval = ping_interval
        self.half_timeout = HALF_MESSAGE_NS
        self.head_timeout = head_timeout
        self.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll_fd < 0:
            raise OSError(errno, "epoll_create1")
        # calloc: a place costs memory only once it has been used
        self.memory = PyMem_RawCalloc(<size_t>capacity + 1, sizeof(Connection))
        self.table = <Connection*>((<size_t>self.memory + CACHE_LINE) & ~<size_t>(CACHE_LINE - 1))
        self.free_places = <uint32_t*>PyMem_RawCalloc(capacity, sizeof(uint32_t))
        self.doomed = <uint32_t*>PyMem_RawCalloc(capacity, sizeof(uint32_t))
        self.drained = <uint32_t*>PyMem_RawCalloc(capacity, sizeof(uint32_t))
        if not (self.memory and self.free_places and self.doomed and self.drained):
            raise MemoryError

    def __dealloc__(self) -> None:
        cdef uint32_t number
        if self.memory != NULL:
            for number in range(self.high_water):
                if self.table[number].state != CONNECTION_FREE:
                    self._release(number)
        PyMem_RawFree(self.memory)
        PyMem_RawFree(self.free_places)
        PyMem_RawFree(self.doomed)
        PyMem_RawFree(self.drained)
        if self.epoll_fd >= 0:
            close(self.epoll_fd)

    cdef bint full(self) noexcept nogil:
        """Whether there are as many sockets as there may be, here and handed over."""
        return self.used + self.lent >= self.capacity

    cdef uint32_t place(self, int fd) noexcept nogil:
        """A place in the table for a new socket; there must be room."""
        cdef uint32_t number
        cdef Connection* connection
        assert self.used < self.capacity
        if self.free_count:
            self.free_count -= 1
            number = self.free_places[self.free_count]
        else:
            number = self.high_water
            self.high_water += 1
        self.used += 1
        connection = self.table + number
        connection.fd = fd
        connection.state = CONNECTION_HEAD
        connection.deadline = self.now + self.head_timeout
        self._watch(number, EPOLL_CTL_ADD)
        count(self.counters, GATEWAY_CONNECTIONS_ACCEPTED, 1)
        return number

    cdef void _watch(self, uint32_t number, int operation) noexcept nogil:
        cdef epoll_event event
        cdef Connection* connection = self.table + number
        event.events = EPOLLIN | EPOLLRDHUP | (EPOLLOUT if connection.wants_write else 0)
        event.data.u64 = <uint64_t>connection.generation << 32 | number
        if epoll_ctl(self.epoll_fd, operation, connection.fd, &event) < 0:
            self.doom(number)

    cdef int deliver(self, uint32_t number, const uint8_t* data, size_t length) noexcept nogil:
        """Send, or keep what the socket does not take: 1 all sent, 0 some waits, -1 doomed."""
        cdef Connection* connection = self.table + number
        assert not connection.gathered
        if connection.state == CONNECTION_DOOMED:
            return -1
        connection.sent_at = self.now
        if connection.wants_write:
            return self._keep(connection, data, length)
        return self.settle(number, data, length, self.push(connection, data, length))

    cdef int settle(
        self, uint32_t number, const uint8_t* data, size_t length, ssize_t sent
    ) noexcept nogil:
        """The socket has taken the first `sent` bytes (-1: it is broken): deliver()'s answer."""
        cdef Connection* connection = self.table + number
        if sent == <ssize_t>length and not connection.sealed:
            return 1
        if sent < 0:
            self.doom(number)
            return -1
        self._block(number)
        if self._keep(connection, data + sent, length - sent) == 0:
            connection.waiting.partial = <uint32_t>(frame_end(data, length, sent, 0) - sent)
            return 0
        return -1

    cdef ssize_t push(
        self, Connection* connection, const uint8_t* data, size_t length
    ) noexcept nogil:
        """How many bytes the socket, or the TLS session, has taken; -1: it is broken."""
        cdef ssize_t sent
        if connection.tls != NULL:
            return seal(
                connection.fd, connection.tls, data, length, self.counters, &connection.sealed
            )
        sent = send(connection.fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT)
        if sent < 0:
            return 0 if errno == EAGAIN else -1
        count(self.counters, GATEWAY_BYTES_SENT, sent)
        return sent

    cdef void put_records(self, uint32_t number, bytes records) noexcept:
        """Send what TLS itself wants sent."""
        cdef Connection* connection = self.table + number
        (<object>connection.tls).unsent += records
        connection.sealed = connection.sealed or len(records) != 0
        if connection.wants_write:
            return
        if not push_records(connection.fd, connection.tls, self.counters, &connection.sealed):
            self.doom(number)
        elif connection.sealed:
            self._block(number)

    cdef void _block(self, uint32_t number) noexcept nogil:
        """The socket is full: wait until it takes more."""
        cdef Connection* connection = self.table + number
        count(self.counters, GATEWAY_SEND_BLOCKED, 1)
        connection.wants_write = 1
        if connection.state == CONNECTION_OPEN:
            connection.deadline = self.now + self.slow_timeout
        self._watch(number, EPOLL_CTL_MOD)

    cdef int _keep(self, Connection* connection, const uint8_t* data, size_t length) noexcept nogil:
        """Append to what waits: 0, or -1: a client that owes more than max_outbound is too slow."""
        if connection.waiting.length + length <= self.max_outbound:
            if keep(&connection.waiting, data, length):
                return 0
        else:
            count(self.counters, GATEWAY_SLOW_CLOSED, 1)
            connection.close_code = SLOW_CLIENT
        self.doom(<uint32_t>(connection - self.table))
        return -1

    cdef void writable(self, uint32_t number) noexcept nogil:
        cdef Connection* connection = self.table + number
        cdef Outbound* waiting = &connection.waiting
        cdef ssize_t sent = 0
        if connection.state == CONNECTION_DOOMED:
            return
        if connection.sealed:
            if not push_records(connection.fd, connection.tls, self.counters, &connection.sealed):
                sent = -1
        if sent == 0 and not connection.sealed and waiting.length:
            sent = self.push(connection, waiting.bytes + waiting.start, waiting.length)
        if sent < 0:
            self.doom(number)
            return
        took(waiting, sent)
        if waiting.length or connection.sealed:
            return
        connection.wants_write = 0
        self._watch(number, EPOLL_CTL_MOD)
        if connection.state == CONNECTION_LINGER:
            self._end_sending(number)
            return
        if connection.state != CONNECTION_OPEN:
            return  # a TLS handshake, which has the head's deadline
        connection.deadline = self.now + (
            self.ping_interval if connection.reader == NULL else self.half_timeout
        )
        self.drained[self.drained_count] = number
        self.drained_count += 1

    cdef void _end_sending(self, uint32_t number) noexcept nogil:
        """Nothing more will come from us."""
        cdef Connection* connection = self.table + number
        if connection.tls != NULL:
            self._finish_records(number)
            if connection.sealed:
                return  # once it has drained, this is called again
        shutdown(connection.fd, SHUT_WR)

    cdef void _finish_records(self, uint32_t number) noexcept with gil:
        """TLS's own last word."""
        self.put_records(number, (<object>self.table[number].tls).finish())

    cdef void doom(self, uint32_t number) noexcept nogil:
        """No word more to this one; the next reap() frees it."""
        cdef Connection* connection = self.table + number
        if connection.state == CONNECTION_DOOMED or connection.state == CONNECTION_FREE:
            return
        if connection.state == CONNECTION_OPEN:
            self.open_count -= 1
        connection.state = CONNECTION_DOOMED
        self.doomed[self.doomed_count] = number
        self.doomed_count += 1

    cdef void fail(
        self, uint32_t number, uint16_t code, const char* reason, size_t length
    ) noexcept nogil:
        """Send a close frame, then wait a little for the peer to close (RFC 6455, 7.1.1). Events
        just end."""
        cdef Connection* connection = self.table + number
        cdef uint8_t[MAX_CONTROL + 2] out
        cdef int size
        if connection.state != CONNECTION_OPEN:
            return
        connection.close_code = code
        if connection.encoding != EVENT_STREAM:
            size = write_close(out, code, reason, length)
            if self.deliver(number, out, size) < 0:
                return
        self.open_count -= 1
        connection.state = CONNECTION_LINGER
        connection.deadline = self.now + LINGER_NS
        if not connection.wants_write:
            self._end_sending(number)

    cdef void free(self, uint32_t number) noexcept:
        """Close the socket; its place is for the next one."""
        self._release(number)
        self.free_places[self.free_count] = number
        self.free_count += 1
        self.used -= 1

    cdef void _release(self, uint32_t number) noexcept:
        cdef Connection* connection = self.table + number
        cdef uint32_t generation = connection.generation
        if connection.reader != NULL:
            release(connection.reader)
            PyMem_RawFree(connection.reader)
        PyMem_RawFree(connection.inbound)
        drop(&connection.waiting)
        PyMem_RawFree(connection.subscriptions)
        Py_XDECREF(connection.tls)
        if connection.fd >= 0:
            close(connection.fd)
        memset(connection, 0, sizeof(Connection))
        connection.generation = generation + 1

    cdef Connection* checked(self, object number) except NULL:
        if not 0 <= number < self.high_water:
            raise IndexError(f"connection {number}: there are {self.high_water}")
        return self.table + <uint32_t>number

    def open(self, number: int, answer: bytes, encoding: int = 0, window_bits: int = 0) -> None:
        """Answer the handshake; from here on frames go both ways, in this encoding, deflated for a
        window of `window_bits`, if any."""
        cdef Connection* connection = self.checked(number)
        connection.encoding, connection.window_bits = encoding, window_bits
        PyMem_RawFree(connection.inbound)
        connection.inbound, connection.inbound_length = NULL, 0
        connection.state = CONNECTION_OPEN
        connection.deadline = self.now + self.ping_interval
        if encoding == EVENT_STREAM:
            bound_silence(connection.fd, 2 * self.ping_interval)
        self.open_count += 1
        self.deliver(number, answer, len(answer))

    def refuse(self, number: int, answer: bytes) -> None:
        """Answer a request that is no handshake with these bytes, then close."""
        cdef Connection* connection = self.checked(number)
        if self.deliver(number, answer, len(answer)) < 0:
            return
        connection.state = CONNECTION_LINGER
        connection.deadline = self.now + LINGER_NS
        if not connection.wants_write:
            self._end_sending(number)

    def hand_over(self, number: int) -> int:
        """Give the socket away: its descriptor, which the caller now owns. It counts among the
        connections until given_back()."""
        cdef Connection* connection = self.checked(number)
        cdef epoll_event event
        cdef int fd = connection.fd
        epoll_ctl(self.epoll_fd, EPOLL_CTL_DEL, fd, &event)
        connection.fd = -1
        self.lent += 1
        self.doom(number)
        return fd

    def given_back(self) -> None:
        """A socket that was handed over is closed."""
        assert self.lent
        self.lent -= 1

    def set_tls(self, number: int, tls: object) -> None:
        """From here on all bytes of this connection go through a TlsSession."""
        cdef Connection* connection = self.checked(number)
        Py_INCREF(tls)
        Py_XDECREF(connection.tls)
        connection.tls = <PyObject*>tls

    def tls_of(self, number: int) -> object:
        """The connection's TlsSession, or None."""
        cdef Connection* connection = self.checked(number)
        return None if connection.tls == NULL else <object>connection.tls

    def peer(self, number: int) -> str:
        """The IPv4 address at the other end of the socket; empty when it is gone."""
        return address_of(self.checked(number).fd)

    def send(self, number: int, data: bytes) -> bool:
        """Send ready frames; False when the connection is gone."""
        self.checked(number)
        return self.deliver(number, data, len(data)) >= 0

    def close(self, number: int, code: int, reason: str = "") -> None:
        """Close with a code and a reason (cut at 123 bytes)."""
        cdef bytes text = reason.encode()
        self.checked(number)
        self.fail(number, code, text, len(text))

    def adopt(self, fd: int, steady_ns: int, tls: object = None) -> int:
        """Take over a connected, non-blocking socket and its TLS session; its number, or -1
        when there is no place (the descriptor then stays the caller's)."""
        cdef uint32_t number
        self.now = steady_ns
        if self.full():
            return -1
        number = self.place(fd)
        if tls is not None:
            self.set_tls(number, tls)
        return number

    def some_open(self, most: int) -> list[int]:
        """Numbers of up to `most` open streams."""
        cdef uint32_t at
        found = [at for at in range(self.high_water) if self.table[at].state == CONNECTION_OPEN]
        return found[:most]

    def awaits_heads(self) -> bool:
        """Whether a connection is there whose request has not come, or not whole."""
        cdef uint32_t at
        return CONNECTION_HEAD in {self.table[at].state for at in range(self.high_water)}

    def encoding(self, number: int) -> int:
        """What was agreed on in the handshake: an Encoding."""
        return self.checked(number).encoding

    @property
    def open_connections(self) -> int:
        return self.open_count

    @property
    def used_places(self) -> int:
        """Connections in any state: also without a whole head, or about to end."""
        return self.used
