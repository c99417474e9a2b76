"""From a client's socket to its messages: every frame whole, in the encoding that was asked for.

Law: no Python object per frame, and nothing is looked at twice. What is not whole is kept for
the next read; what a frame says goes to the checks (checks.pyx).

With a `dialect` other than "plain" frames hold another server's pieces (wrapped.pyx).
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from ticker.bench.swarm.checks cimport BYTES, ERRORS, MALFORMED, PINGS, READS, Checks
from ticker.bench.swarm.message cimport Frame, Message, read_frame, read_message, write_frame
from ticker.bench.swarm.message_binary cimport read_msgpack, read_protobuf
from ticker.bench.swarm.net cimport MSG_NOSIGNAL, recv, send
from ticker.bench.swarm.wrapped cimport (
    NATS,
    PIECE_PING,
    PIECE_PRICE,
    PIECE_REFUSED,
    PIECE_SUBSCRIBED,
    PIECE_WELCOME,
    Piece,
    next_piece,
)

import zlib

from ticker.bench.swarm.commands import ENCODINGS
from ticker.shm.layout import names_of

cdef enum:
    BUFFER = 1 << 20

FLUSHED = b"\x00\x00\xff\xff"

if names_of(Encoding, "") != ENCODINGS:
    raise ImportError("reader.pxd numbers the encodings otherwise than commands.ENCODINGS")


cdef class Reader:
    """For the clients of `checks`. `encoding` is an index of commands.ENCODINGS, `dialect` a
    number of wrapped.DIALECTS; `answer_to_ping` is the frame that such a server wants.
    `inflates`: permessage-deflate was agreed on, without context takeover."""

    def __cinit__(
        self, Checks checks not None, clients: int, encoding: int, dialect: int,
        answer_to_ping: bytes, *, inflates: bool = False,
    ) -> None:
        self.checks = checks
        self.counts = checks.counts
        self.clients = clients
        self.format = encoding
        self.dialect = dialect
        self.inflates = inflates
        self.answer_to_ping = answer_to_ping
        self.pong = self.answer_to_ping
        self.pong_length = <size_t>len(answer_to_ping)
        self.buffer = <uint8_t*>malloc(BUFFER)
        self.inboxes = <Inbox*>calloc(self.clients + 1, sizeof(Inbox))
        if self.buffer == NULL or self.inboxes == NULL:
            raise MemoryError(f"what {self.clients} clients read")

    def __dealloc__(self) -> None:
        cdef int i
        if self.inboxes != NULL:
            for i in range(self.clients):
                free(self.inboxes[i].rest)
                free(self.inboxes[i].stream)
        free(self.inboxes)
        free(self.buffer)

    cdef int64_t fill(self, int number, int fd) noexcept nogil:
        """Receive into `buffer`, behind what the client has kept: bytes there, NOTHING when none
        came, GONE at the connection's end. What is left of them is to be kept."""
        cdef Inbox* inbox = &self.inboxes[number]
        cdef size_t held = inbox.rest_length
        cdef ssize_t got
        if held:
            memcpy(self.buffer, inbox.rest, held)
        got = recv(fd, self.buffer + held, BUFFER - held, 0)
        if got <= 0:
            return NOTHING if got < 0 and (errno == EAGAIN or errno == EINTR) else GONE
        self.counts[<int>READS] += 1
        self.counts[<int>BYTES] += <uint64_t>got
        return <int64_t>(held + <size_t>got)

    cdef int keep(self, int number, const uint8_t* rest, size_t length) except -1:
        """Remember the beginning of a frame until the rest comes."""
        cdef Inbox* inbox = &self.inboxes[number]
        if length:
            free(inbox.rest)
            inbox.rest = <uint8_t*>malloc(length)
            if inbox.rest == NULL:
                raise MemoryError(f"{length} bytes")
            memcpy(inbox.rest, rest, length)
        inbox.rest_length = length
        return 0

    cdef size_t frames(
        self, int number, int fd, const uint8_t* at, size_t length, int64_t now
    ) noexcept nogil:
        """All whole frames, received at `now` (ns); the bytes they took."""
        cdef size_t used = 0
        cdef int64_t step
        cdef Frame frame
        cdef Message message
        while True:
            step = read_frame(at + used, length - used, &frame)
            if step < 0:
                self.counts[<int>MALFORMED] += 1
                return length
            if step == 0:
                return used
            used += <size_t>step
            if frame.deflated and not self._inflate(&frame):
                self.counts[<int>MALFORMED] += 1
                return length
            if self.dialect and frame.opcode <= 2:
                self._unwrap(number, fd, &frame, now)
            elif frame.opcode == (1 if self.format <= JSON else 2):
                if self.format <= JSON:
                    read_message(<const char*>frame.payload, frame.length, &self.cache, &message)
                elif self.format == MSGPACK:
                    read_msgpack(frame.payload, frame.length, &message)
                else:
                    read_protobuf(frame.payload, frame.length, &message)
                self.checks.take(number, &message, now)
            elif frame.opcode == 9:
                self._pong(fd, &frame)
            elif frame.opcode == 8:
                self._closing(&frame)
            elif frame.opcode != 10:
                self.counts[<int>MALFORMED] += 1

    cdef bint _inflate(self, Frame* frame) noexcept with gil:
        """Put the message in the place of the payload; False: it is none (RFC 7692, 7.2.2)."""
        if not self.inflates or frame.opcode > 2:
            return False
        try:
            stream = zlib.decompressobj(-zlib.MAX_WBITS)
            self.inflated = stream.decompress(frame.payload[:frame.length] + FLUSHED)
        except zlib.error:
            return False
        frame.payload = self.inflated
        frame.length = <size_t>len(self.inflated)
        return True

    cdef void _closing(self, Frame* frame) noexcept nogil:
        """RFC 6455, 5.5.1: two bytes of the payload are the code."""
        if frame.length >= 2:
            self.close_code = frame.payload[0] << 8 | frame.payload[1]

    cdef void _pong(self, int fd, Frame* frame) noexcept nogil:
        cdef uint8_t[160] out
        self.counts[<int>PINGS] += 1
        if frame.length < 126:
            send(fd, out, write_frame(out, 10, frame.payload, frame.length), MSG_NOSIGNAL)

    # ---- other servers ----------------------------------------------------------------------

    cdef void _unwrap(self, int number, int fd, Frame* frame, int64_t now) noexcept nogil:
        """What another server's frame holds, behind what its last one left over."""
        cdef Inbox* inbox = &self.inboxes[number]
        cdef const char* at = <const char*>frame.payload
        cdef size_t length = frame.length
        cdef size_t used = 0
        cdef int64_t step
        cdef Piece piece
        if inbox.stream_length:
            length += inbox.stream_length
            inbox.stream = <char*>realloc(inbox.stream, length)
            memcpy(inbox.stream + inbox.stream_length, frame.payload, frame.length)
            at = inbox.stream
        while used < length:
            step = next_piece(self.dialect, at + used, length - used, &piece)
            if step < 0 or (step == 0 and self.dialect != NATS):
                self.counts[<int>MALFORMED] += 1
                used = length
            if step <= 0:
                break
            used += <size_t>step
            self._piece(number, fd, &piece, now)
        self._keep_stream(inbox, at + used, length - used)

    cdef void _keep_stream(self, Inbox* inbox, const char* rest, size_t length) noexcept nogil:
        cdef char* fresh = NULL
        if length:
            fresh = <char*>malloc(length)
            memcpy(fresh, rest, length)
        free(inbox.stream)
        inbox.stream = fresh
        inbox.stream_length = length

    cdef void _piece(self, int number, int fd, Piece* piece, int64_t now) noexcept nogil:
        cdef Message message
        if piece.kind == PIECE_PRICE:
            read_message(piece.body, piece.length, &self.cache, &message)
            self.checks.take(number, &message, now)
        elif piece.kind == PIECE_PING:
            self.counts[<int>PINGS] += 1
            send(fd, <const char*>self.pong, self.pong_length, MSG_NOSIGNAL)
        elif piece.kind == PIECE_WELCOME and not self.inboxes[number].welcomed:
            self.inboxes[number].welcomed = True
        elif piece.kind == PIECE_WELCOME:
            self.checks.confirmed(number, self.checks.lists.per_client, now)
        elif piece.kind == PIECE_SUBSCRIBED:
            self.checks.confirmed(number, 1, now)
        elif piece.kind == PIECE_REFUSED:
            self.counts[<int>ERRORS] += 1
