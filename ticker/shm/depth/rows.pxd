"""The books of a feed's segment, and the two halves of their protocol; rows.pyx says the law.

Memory order: as in a row of the table (table.pxd).
"""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.depth.layout cimport DepthRow, DepthValues
from ticker.shm.layout cimport FeedState


cdef enum:
    NO_DEPTH = 0xFFFFFFFF


cdef class DepthReader:
    """Any reader's view of the books of a feed."""

    cdef Mapping mapping
    cdef uint64_t* places        # of the book of each row of the table, and 1; 0: it has none
    cdef DepthRow* books
    cdef FeedState* state
    cdef readonly uint32_t capacity

    cdef uint32_t place_of(self, uint32_t row) noexcept nogil
    cdef uint64_t generation(self, uint32_t place) noexcept nogil
    cdef bint read(self, uint32_t row, DepthValues* out) noexcept nogil


@cython.final
cdef class DepthWriter(DepthReader):
    """The one writer's view."""

    cdef uint32_t* free_places
    cdef uint32_t free_count

    cdef uint32_t take(self, uint32_t row) noexcept nogil
    cdef void give_up(self, uint32_t row) noexcept nogil
    cdef bint publish(self, uint32_t place, DepthValues* values) noexcept nogil
    cdef void _repair(self, uint32_t place) noexcept nogil
    cdef void _write(self, uint32_t place, const DepthValues* values) noexcept nogil
    cdef const DepthValues* current(self, uint32_t place) noexcept nogil
