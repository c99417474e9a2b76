"""What happens to connections because time passes.

In: the time, now and then. Out: pings, heartbeats, closes. Law: every state of a connection has
a deadline, and a client that is closed is told why, as far as its socket takes it.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ticker.gateway.sockets.connection cimport (
    CONNECTION_HEAD,
    CONNECTION_LINGER,
    CONNECTION_OPEN,
    ENCODINGS,
    EVENT_STREAM,
    PLAIN,
    SLOW_CLIENT,
    Connection,
    ConnectionTable,
)
from ticker.gateway.sockets.frames cimport MAX_CONTROL, OPCODE_PING, write_close, write_head
from ticker.gateway.sockets.sockets cimport (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SO_SNDBUF,
    SOL_SOCKET,
    send,
    setsockopt,
)
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport GATEWAY_CONNECTIONS_OPEN, GATEWAY_SLOW_CLOSED, count

from ticker.gateway.sockets.tls import TlsError

cdef enum:
    LAST_ROOM = 131072           # of a socket's send buffer, to take them
    GOING_AWAY = 1001
    SERVICE_RESTART = 1012


cdef class Deadlines:
    """`speaker` has last_word(number, code) and heartbeat(encoding) -> ready frames."""

    def __cinit__(self, ConnectionTable connections not None, speaker: object) -> None:
        self.connections = connections
        self.speaker = speaker

    def expire(self, steady_ns: int) -> None:
        """Act on deadlines that have passed: heads, half frames, slow clients, silent clients;
        and on silence of our own."""
        cdef uint32_t number
        cdef Connection* connection
        cdef list frames = [None] * ENCODINGS
        self.connections.now = steady_ns
        for number in range(self.connections.high_water):
            connection = self.connections.table + number
            if connection.deadline and connection.deadline <= self.connections.now:
                self._expire(number)
            if self.heartbeat and connection.state == CONNECTION_OPEN:
                self._beat(connection, number, frames)
        store_relaxed(
            self.connections.counters + GATEWAY_CONNECTIONS_OPEN, self.connections.open_count
        )

    cdef int _beat(self, Connection* connection, uint32_t number, list frames) except -1:
        """A heartbeat where nothing else was said; its frame is made once for all."""
        cdef bytes frame
        cdef int encoding = connection.encoding
        if (
            encoding == PLAIN or encoding >= ENCODINGS or connection.wants_write
            or self.connections.now - connection.sent_at < self.heartbeat
        ):
            return 0
        if frames[encoding] is None:
            frames[encoding] = self.speaker.heartbeat(encoding)
        frame = frames[encoding]
        self.connections.deliver(number, frame, len(frame))
        return 0

    cdef int _expire(self, uint32_t number) except -1:
        cdef Connection* connection = self.connections.table + number
        cdef uint8_t[2] ping
        if connection.state == CONNECTION_HEAD or connection.state == CONNECTION_LINGER:
            self.connections.doom(number)
        elif connection.encoding == EVENT_STREAM and not connection.wants_write:
            connection.deadline = 0  # nothing is awaited of it; heartbeats are sent by _beat
        elif connection.state == CONNECTION_OPEN:
            if connection.wants_write:
                self._close_slow(number)
            elif connection.reader != NULL and not connection.pinged:
                self.connections.fail(number, 1008, b"half a frame", 12)
            elif connection.pinged:
                self.connections.fail(number, 1008, b"no pong", 7)
            else:
                connection.pinged = 1
                connection.deadline = self.connections.now + self.connections.ping_interval
                write_head(ping, OPCODE_PING, 0)
                self.connections.deliver(number, ping, 2)
        return 0

    cdef int _close_slow(self, uint32_t number) except -1:
        """Close a client that does not read. Its socket is full: it gets a little more room, for
        the rest of the frame under way, the error and the close frame, which the kernel keeps
        for a while in case the client reads again. What else waited is dropped."""
        cdef Connection* connection = self.connections.table + number
        cdef uint8_t[MAX_CONTROL + 2] close
        cdef int room = LAST_ROOM
        cdef int size = write_close(close, SLOW_CLIENT, b"slow_client", 11)
        cdef bytes words = self.speaker.last_word(number, SLOW_CLIENT)
        cdef uint8_t* waiting = connection.waiting.bytes + connection.waiting.start
        count(self.connections.counters, GATEWAY_SLOW_CLOSED, 1)
        connection.close_code = SLOW_CLIENT
        if connection.encoding != EVENT_STREAM:
            words += close[:size]
        if connection.waiting.length:
            words = waiting[:connection.waiting.partial] + words
        if connection.tls != NULL:
            words = self._sealed(<object>connection.tls, words)
        if len(words) <= LAST_ROOM // 2:
            setsockopt(connection.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room))
            send(connection.fd, <const uint8_t*>words, len(words), MSG_NOSIGNAL | MSG_DONTWAIT)
        self.connections.doom(number)
        return 0

    cdef bytes _sealed(self, object tls, bytes words):
        """The records that wait already, and the last ones of the session."""
        try:
            return tls.unsent + tls.encrypt(words) + tls.finish()
        except TlsError:
            return b""

    def dismiss(self, number: int, code: int, reason: str) -> None:
        """Close an open stream after a last word of the handler's. The vendors' packages take 1001
        for the end of the program that uses them, and connect again after 1012."""
        cdef bytes word = self.speaker.last_word(number, code)
        if code == GOING_AWAY and self.connections.checked(number).encoding >= ENCODINGS:
            code = SERVICE_RESTART
        if word:
            self.connections.deliver(number, word, len(word))
        self.connections.close(number, code, reason)

    def close_all(self, code: int, reason: str = "") -> None:
        """Close everybody; for a drain. Callers go on polling for a while."""
        cdef uint32_t number
        for number in range(self.connections.high_water):
            if self.connections.table[number].state == CONNECTION_HEAD:
                self.connections.doom(number)
            elif self.connections.table[number].state == CONNECTION_OPEN:
                self.dismiss(number, code, reason)
