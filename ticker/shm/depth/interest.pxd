"""Which symbols' depth the gateways want: see interest.pyx."""

cimport cython
from libc.stdint cimport uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.depth.layout cimport Interest
from ticker.shm.layout cimport GatewayState


@cython.final
cdef class InterestWriter:
    """One gateway's interest, in its own segment."""

    cdef Mapping mapping
    cdef GatewayState* state
    cdef Interest* slots
    cdef dict places             # slot by symbol
    cdef dict wanted             # levels by symbol
    cdef list free_slots


@cython.final
cdef class Interests:
    """The interest of all gateways, as one feed worker reads it."""

    cdef list mappings
    cdef int used
    cdef GatewayState* states[64]
    cdef uint64_t seen[64]       # version of each that was read last
    cdef list found              # levels by symbol, of each gateway

    cdef bint changed(self) noexcept nogil
