from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.bench.swarm.checks cimport Checks
from ticker.bench.swarm.message cimport Frame, SecondCache
from ticker.bench.swarm.wrapped cimport Piece

cdef struct Inbox:
    uint8_t* rest               # a frame that is not whole yet
    size_t rest_length
    char* stream                # NATS: an operation that is not whole yet
    size_t stream_length
    bint welcomed               # the dialect's own welcome has come

# Their names are those of commands.ENCODINGS.
cpdef enum Encoding:
    PLAIN = 0
    JSON
    MSGPACK
    PROTOBUF

cdef enum:
    NOTHING = -1
    GONE = -2


cdef class Reader:
    """What comes in for each client, read to the end of its last whole frame."""

    cdef uint8_t* buffer
    cdef Inbox* inboxes
    cdef Checks checks
    cdef uint64_t* counts                  # those of the checks
    cdef SecondCache cache
    cdef int clients, format, dialect
    cdef bint inflates
    cdef bytes inflated                    # the message of the newest deflated frame
    cdef bytes answer_to_ping
    cdef const char* pong
    cdef size_t pong_length
    cdef readonly int close_code           # of the newest close frame, 0: none

    cdef int64_t fill(self, int number, int fd) noexcept nogil
    cdef int keep(self, int number, const uint8_t* rest, size_t length) except -1
    cdef size_t frames(
        self, int number, int fd, const uint8_t* at, size_t length, int64_t now
    ) noexcept nogil
    cdef bint _inflate(self, Frame* frame) noexcept with gil
    cdef void _closing(self, Frame* frame) noexcept nogil
    cdef void _pong(self, int fd, Frame* frame) noexcept nogil
    cdef void _unwrap(self, int number, int fd, Frame* frame, int64_t now) noexcept nogil
    cdef void _keep_stream(self, Inbox* inbox, const char* rest, size_t length) noexcept nogil
    cdef void _piece(self, int number, int fd, Piece* piece, int64_t now) noexcept nogil
