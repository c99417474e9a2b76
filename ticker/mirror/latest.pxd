from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.prices.board cimport Board
from ticker.shm.layout cimport Row
from ticker.shm.liveness cimport Liveness


cdef struct Kept:
    uint8_t news                 # News bits: the reasons to write the symbol
    Liveness state               # Liveness that was seen last, and whether it was stale
    bint stale
    bint there                   # was written, so its time to live runs
    int64_t written_ns


cdef class Latest:
    """Which symbols a Redis lacks, and the commands that bring them."""

    cdef Board board
    cdef Kept* kept              # by symbol
    cdef uint32_t known
    cdef uint32_t room
    cdef uint64_t** generations  # [feed][row] as of the last look
    cdef bint* silent            # by feed
    cdef uint32_t feeds
    cdef bytes epoch
    cdef bytes ttl
    cdef int64_t refresh_ns
    cdef bint publishes
    cdef object currency_of
    cdef list texts              # by symbol: of its commands, of its objects, its own currency
    cdef char* value
    cdef char* out               # the commands
    cdef int out_room

    cdef Kept* _of(self, uint32_t symbol) except NULL
    cdef int _make_room(self, int at) except -1
    cdef int _grow(self) except -1
    cdef int _learn_texts(self, uint32_t symbol) except -1
    cdef int _look_at(self, uint32_t feed) except -1
    cdef int _judge(self) except -1
    cdef int _write(self, uint32_t symbol) except? -2
    cdef int _command(self, int at, uint32_t symbol, int length, bytes end) except -1
    cdef int _put(self, char* out, int at, uint32_t symbol, uint32_t number, bint currency) except -1
    cdef int _put_venue(
        self, char* out, int at, const char* name, uint32_t symbol, uint32_t number
    ) except -1
    cdef Row* _row(self, uint32_t symbol, uint32_t number) except NULL
