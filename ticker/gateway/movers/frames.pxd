"""Ready frames of the lists of movers, of each list and encoding the newest."""

cimport cython
from libc.stdint cimport uint32_t

from ticker.gateway.books.encode cimport LongFrame

cdef enum:
    MOST_BYTES = 32768           # of a frame: three lists of 25 symbols


@cython.final
cdef class MoverFrames:
    cdef LongFrame* frames       # [list * ENCODINGS + encoding]
    cdef uint32_t count          # lists that there is room for

    cdef const LongFrame* frame(self, uint32_t number, uint32_t encoding) noexcept nogil
    cdef int _grow(self, uint32_t count) except -1
