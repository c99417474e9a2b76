"""Reception: accepting and receiving.

In: what an epoll of our own says of sockets. Out: request heads and messages to `handler`
(front.py). Owned by one event loop, which watches `epoll_fd` and calls poll().
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.errno cimport EAGAIN, EINTR, EMFILE, ENFILE, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.gateway.sockets.connection cimport (
    CONNECTION_DOOMED,
    CONNECTION_FREE,
    CONNECTION_HEAD,
    CONNECTION_OPEN,
    EVENT_STREAM,
    Connection,
    ConnectionTable,
)
from ticker.gateway.sockets.frames cimport (
    EVENT_CLOSE,
    EVENT_ERROR,
    EVENT_MESSAGE,
    EVENT_NONE,
    EVENT_PING,
    EVENT_PONG,
    MAX_CONTROL,
    OPCODE_PONG,
    OPCODE_TEXT,
    FrameLimits,
    FrameReader,
    at_rest,
    read_frames,
    release,
    write_head,
)
from ticker.gateway.sockets.sockets cimport (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    accept4,
    close,
    dup,
    epoll_ctl,
    epoll_event,
    epoll_wait,
    recv,
    send,
)
from ticker.shm.counters cimport (
    GATEWAY_CONNECTIONS_CLOSED,
    GATEWAY_DESCRIPTORS_EXHAUSTED,
    GATEWAY_INFLATES_REFUSED,
    GATEWAY_PROTOCOL_ERRORS,
    count,
)

from ticker.gateway.sockets.inflate import InflateError, inflate
from ticker.gateway.sockets.tls import TlsError, TlsSession

cdef enum:
    EVENTS = 16                  # handled in one poll
    ACCEPTS = 16                 # taken in one poll
    MAX_REQUEST_HEAD = 8192
    RSV1 = 0x40                  # a deflated message (RFC 7692, section 6)
    MAX_CONTROLS = 50            # pings and pongs of one client in a second

cdef uint64_t LISTENER = 0xFFFFFFFFFFFFFFFFULL
cdef int64_t SECOND_NS = 1000000000


cdef class Reception:
    """`handler` has on_head(number, data), on_message(number, is_text, payload),
    last_word(number, code) and on_closed(number); it may call anything here from them. With `counts_addresses` it is asked
    on_accept(number) first. A `tls_context` is for all that is accepted, but for those that
    on_accept has answered with False: these it has refused, or it calls set_tls itself.
    `max_message`: bytes of one, over all its fragments.
    """

    def __cinit__(
        self, ConnectionTable connections not None, handler: object, max_message: int,
        max_fragments: int = 100,
    ) -> None:
        self.connections = connections
        self.handler = handler
        self.listener_fd = -1
        self.spare_fd = dup(connections.epoll_fd)
        self.busy = b""
        self.limits.max_message = max_message
        self.limits.max_fragments = max_fragments
        self.deflated = self.limits
        self.deflated.reserved = RSV1
        self.scratch = <uint8_t*>PyMem_RawMalloc(SCRATCH)
        if self.scratch == NULL:
            raise MemoryError

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.scratch)
        if self.spare_fd >= 0:
            close(self.spare_fd)

    def listen(self, fd: int) -> None:
        """Accept from this non-blocking, listening socket from the next poll on."""
        cdef epoll_event event
        event.events = EPOLLIN
        event.data.u64 = LISTENER
        if epoll_ctl(self.connections.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0:
            raise OSError(errno, "epoll_ctl(listener)")
        self.listener_fd = fd
        self.accepting = True

    def stop_listening(self) -> None:
        """Leave what waits in the accept queue to another worker, for good."""
        self._pause()
        self.listener_fd = -1

    cdef void _pause(self) noexcept nogil:
        cdef epoll_event event
        if self.listener_fd >= 0 and self.accepting:
            epoll_ctl(self.connections.epoll_fd, EPOLL_CTL_DEL, self.listener_fd, &event)
        self.accepting = False

    def resume(self) -> None:
        """Accept again, if there is room now; to be called now and then, for what it waits for
        may come without a word: a place that HTTP has given back, a descriptor."""
        if self.listener_fd >= 0 and not self.accepting and not self.connections.full():
            self.listen(self.listener_fd)

    def poll(self, steady_ns: int) -> bool:
        """Handle what epoll reports at once; True when there may be more."""
        cdef epoll_event[EVENTS] events
        cdef int i, found
        cdef uint32_t number
        cdef Connection* connection
        self.connections.now = steady_ns
        found = epoll_wait(self.connections.epoll_fd, events, EVENTS, 0)
        for i in range(found):
            if events[i].data.u64 == LISTENER:
                self._accept()
                continue
            number = <uint32_t>(events[i].data.u64 & 0xFFFFFFFF)
            connection = self.connections.table + number
            if connection.generation != events[i].data.u64 >> 32:
                continue
            if events[i].events & EPOLLOUT and connection.wants_write:
                self.connections.writable(number)
            if events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP):
                self._readable(number)
        return found == EVENTS

    cdef int _accept(self) except -1:
        cdef int i, fd
        for i in range(ACCEPTS):
            if self.connections.full():
                self._pause()  # who comes waits in the accept queue
                return 0
            fd = accept4(self.listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if errno in (EMFILE, ENFILE):
                    self._turn_away()
                return 0
            self._placed(self.connections.place(fd))
        return 0

    cdef int _placed(self, uint32_t number) except -1:
        """A new connection, before its first byte."""
        if self.counts_addresses and not self.handler.on_accept(number):
            return 0
        if self.tls_context is not None:
            self.connections.set_tls(number, TlsSession(self.tls_context))
        return 0

    cdef int _turn_away(self) except -1:
        """No descriptor is left: tell the first who waits, with the spare one, and accept no
        more until resume()."""
        cdef int fd
        count(self.connections.counters, GATEWAY_DESCRIPTORS_EXHAUSTED, 1)
        if self.spare_fd >= 0:
            close(self.spare_fd)
            fd = accept4(self.listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd >= 0:
                send(fd, <const uint8_t*>self.busy, len(self.busy), MSG_NOSIGNAL | MSG_DONTWAIT)
                close(fd)
        self.spare_fd = dup(self.connections.epoll_fd)
        self._pause()
        return 0

    cdef int _readable(self, uint32_t number) except -1:
        cdef Connection* connection = self.connections.table + number
        cdef ssize_t got
        if connection.state == CONNECTION_DOOMED or connection.state == CONNECTION_FREE:
            return 0
        got = recv(connection.fd, self.scratch, SCRATCH, MSG_DONTWAIT)
        if got < 0 and errno in (EAGAIN, EINTR):
            return 0
        if got <= 0:
            self.connections.doom(number)
            return 0
        if connection.tls != NULL:
            return self._records(number, self.scratch[:got])
        return self._bytes(number, got)

    cdef int _bytes(self, uint32_t number, size_t length) except -1:
        """What the peer says stands in `scratch`."""
        cdef Connection* connection = self.connections.table + number
        if connection.state == CONNECTION_HEAD:
            return self._head_bytes(number, length)
        if connection.state == CONNECTION_OPEN and connection.encoding != EVENT_STREAM:
            return self._frames(number, self.scratch, length)
        return 0  # lingering, or nothing comes this way: read and forget

    cdef int _records(self, uint32_t number, bytes data) except -1:
        """TLS records: answer what the protocol wants, go on with what they say."""
        cdef object tls = <object>self.connections.table[number].tls
        cdef bytes plain = b""
        cdef bytes answer
        cdef size_t start, length
        cdef bint broken = False
        try:
            plain = tls.receive(data)
        except TlsError:
            count(self.connections.counters, GATEWAY_PROTOCOL_ERRORS, 1)
            broken = True
        answer = tls.pending()
        if answer:
            self.connections.put_records(number, answer)
        if broken:
            self.connections.doom(number)
        for start in range(0, <size_t>len(plain), <size_t>SCRATCH):
            length = min(<size_t>SCRATCH, <size_t>len(plain) - start)
            memcpy(self.scratch, <const uint8_t*>plain + start, length)
            self._bytes(number, length)
        return 0

    cdef int _head_bytes(self, uint32_t number, size_t length) except -1:
        """Give all that has come of the head to the handler, which takes it once it is whole; or
        takes a part off its front, and gives back the rest."""
        cdef Connection* connection = self.connections.table + number
        cdef bytes data = self.scratch[:length]
        if connection.inbound != NULL:
            data = connection.inbound[:connection.inbound_length] + data
            PyMem_RawFree(connection.inbound)
            connection.inbound = NULL
            connection.inbound_length = 0
        while True:
            rest = self.handler.on_head(number, data)
            if connection.state != CONNECTION_HEAD:
                return 0
            if rest is None:
                return self._keep_head(number, data)
            if connection.tls != NULL:
                return self._records(number, rest)
            data = rest

    cdef int _keep_head(self, uint32_t number, bytes data) except -1:
        cdef Connection* connection = self.connections.table + number
        connection.inbound = <uint8_t*>PyMem_RawMalloc(len(data))
        if connection.inbound == NULL or len(data) > MAX_REQUEST_HEAD + SCRATCH:
            self.connections.doom(number)
            return 0
        connection.inbound_length = <uint32_t>len(data)
        memcpy(connection.inbound, <const uint8_t*>data, len(data))
        return 0

    cdef int _frames(self, uint32_t number, uint8_t* data, size_t length) except -1:
        cdef Connection* connection = self.connections.table + number
        cdef FrameReader fresh
        cdef FrameReader* reader = connection.reader
        cdef FrameLimits* limits = &self.deflated if connection.window_bits else &self.limits
        cdef uint8_t* payload = NULL
        cdef size_t payload_length = 0
        cdef int64_t deadline = connection.deadline
        cdef bint begun = reader == NULL  # now, what is under way at the end
        cdef int event
        if reader == NULL:
            memset(&fresh, 0, sizeof(fresh))
            reader = &fresh
        while connection.state == CONNECTION_OPEN:
            event = read_frames(reader, limits, &data, &length, &payload, &payload_length)
            if event == EVENT_NONE:
                break
            begun = begun or event == EVENT_MESSAGE
            self._event(number, event, reader, payload, payload_length)
        if at_rest(reader) or connection.state != CONNECTION_OPEN:
            release(reader)
            if reader != &fresh:
                PyMem_RawFree(reader)
            connection.reader = NULL
            return 0
        if reader == &fresh:
            connection.reader = <FrameReader*>PyMem_RawMalloc(sizeof(FrameReader))
            if connection.reader == NULL:
                release(reader)
                self.connections.doom(number)
                return 0
            memcpy(connection.reader, reader, sizeof(FrameReader))
        if not connection.wants_write:
            # control frames between its fragments win a message no time
            connection.deadline = (
                self.connections.now + self.connections.half_timeout if begun else deadline
            )
        return 0

    cdef int _event(
        self, uint32_t number, int event, FrameReader* reader, uint8_t* payload, size_t length
    ) except -1:
        cdef Connection* connection = self.connections.table + number
        cdef uint8_t[MAX_CONTROL + 2] answer
        cdef uint16_t code
        cdef int size
        if not connection.wants_write:
            connection.deadline = self.connections.now + self.connections.ping_interval
            connection.pinged = 0
        if event in (EVENT_PING, EVENT_PONG) and self._flooded(connection):
            self.connections.fail(number, 1008, b"ping flood", 10)
        elif event == EVENT_MESSAGE:
            self._message(number, reader, payload, length)
        elif event == EVENT_PING:
            size = write_head(answer, OPCODE_PONG, length)
            memcpy(answer + size, payload, length)
            self.connections.deliver(number, answer, size + length)
        elif event == EVENT_CLOSE:
            code = reader.close_code if reader.close_code != 1005 else 1000
            self.connections.fail(number, code, b"", 0)
        elif event == EVENT_ERROR:
            self._broken(number, reader.close_code)
        return 0

    cdef int _message(
        self, uint32_t number, FrameReader* reader, uint8_t* payload, size_t length
    ) except -1:
        cdef bint is_text = reader.opcode == OPCODE_TEXT
        cdef bytes message = payload[:length]
        if reader.compressed:
            try:
                message = inflate(message, self.limits.max_message, is_text=is_text)
            except InflateError as error:
                count(self.connections.counters, GATEWAY_INFLATES_REFUSED, 1)
                return self._broken(number, error.code)
        self.handler.on_message(number, is_text, message)
        return 0

    cdef int _broken(self, uint32_t number, uint16_t code) except -1:
        """The peer breaks the protocol: a last word, and a close frame with this code."""
        count(self.connections.counters, GATEWAY_PROTOCOL_ERRORS, 1)
        word = self.handler.last_word(number, code)
        if word:
            self.connections.send(number, word)
        self.connections.fail(number, code, b"", 0)
        return 0

    cdef bint _flooded(self, Connection* connection) noexcept nogil:
        """Count one more control frame; True when this second has seen enough of them."""
        cdef uint32_t second = <uint32_t>(self.connections.now / SECOND_NS)
        if connection.controls_second != second:
            connection.controls_second = second
            connection.controls = 0
        connection.controls += 1
        return connection.controls > MAX_CONTROLS

    def reap(self) -> int:
        """Free the doomed, after on_closed(number) for each; how many."""
        cdef uint32_t number
        cdef int freed = 0
        while self.connections.doomed_count:
            self.connections.doomed_count -= 1
            number = self.connections.doomed[self.connections.doomed_count]
            self.handler.on_closed(number)
            self.connections.free(number)
            freed += 1
            count(self.connections.counters, GATEWAY_CONNECTIONS_CLOSED, 1)
        if freed:
            self.resume()
        return freed
