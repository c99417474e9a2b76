"""Where things are, by a 64-bit key: one open-addressed table, to find, put and remove.

Two things may have the same key; the caller looks which one it wants.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint32_t, uint64_t


cdef struct Place:
    uint64_t key
    uint32_t index               # + 1, 0: free

cdef struct Places:
    Place* at
    uint64_t mask
    uint64_t used


cdef inline uint64_t key_of(uint32_t row, uint64_t number) noexcept nogil:
    """Of a number within a row: stirred, for its low bits are the place."""
    return ((number ^ (<uint64_t>row + 1) * <uint64_t>0xD6E8FEB86659FD93ULL)
            * <uint64_t>0x9E3779B97F4A7C15ULL) >> 20


cdef inline int make_places(Places* places, uint64_t room) except -1:
    """`room`: a power of two; at most three places in four are used."""
    places.at = <Place*>PyMem_Calloc(room, sizeof(Place))
    if places.at == NULL:
        raise MemoryError("no memory for the bars")
    places.mask = room - 1
    places.used = 0
    return 0


cdef inline void add_place(Places* places, uint64_t key, uint32_t index) noexcept:
    cdef uint64_t at = key & places.mask
    while places.at[at].index:
        at = (at + 1) & places.mask
    places.at[at].key = key
    places.at[at].index = index
    places.used += 1


cdef inline int put_place(Places* places, uint64_t key, uint32_t index) except -1:
    """Raises MemoryError: the table had to grow."""
    cdef Places wider
    cdef uint64_t at
    if 4 * (places.used + 1) > 3 * places.mask:
        make_places(&wider, 2 * (places.mask + 1))
        for at in range(places.mask + 1):
            if places.at[at].index:
                add_place(&wider, places.at[at].key, places.at[at].index)
        PyMem_Free(places.at)
        places[0] = wider
    add_place(places, key, index)
    return 0


cdef inline void remove_place(Places* places, uint64_t key, uint32_t index) noexcept:
    """Those behind it that had to go past it move up. What is not there is left alone."""
    cdef uint64_t hole = key & places.mask
    cdef uint64_t at
    while places.at[hole].index != index:
        if not places.at[hole].index:
            return
        hole = (hole + 1) & places.mask
    at = (hole + 1) & places.mask
    while places.at[at].index:
        if ((at - places.at[at].key) & places.mask) >= ((at - hole) & places.mask):
            places.at[hole] = places.at[at]
            hole = at
        at = (at + 1) & places.mask
    places.at[hole].index = 0
    places.used -= 1
