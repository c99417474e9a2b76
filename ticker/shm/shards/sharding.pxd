"""Among which shards of the bus symbols are spread: see sharding.pyx."""

cimport cython
from libc.stdint cimport uint16_t, uint32_t

cdef enum:
    MOST_PINNED = 512
    PLACES = 4 * MOST_PINNED     # of the hash table of pinned symbols


@cython.final
cdef class Sharding:
    cdef readonly uint32_t hashed
    cdef readonly uint32_t count
    cdef list symbols            # pinned, as bytes
    cdef uint16_t places[PLACES] # by hash: place in `symbols`, and 1; 0: none

    # The shard of a symbol.
    cdef uint32_t of(self, const char* symbol, size_t length) noexcept
