from libc.stdint cimport uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport GatewayState


cdef class Doorbell:
    """The sleeper's side: one gateway's flag in its own segment, and its eventfd."""

    cdef Mapping mapping
    cdef GatewayState* state
    cdef readonly int fd

    cdef void arm(self) noexcept nogil
    cdef void disarm(self) noexcept nogil


cdef class DoorbellRinger:
    """The publisher's side: every gateway's flag, mapped read-only, and the eventfds."""

    cdef list mappings           # of the gateways, in the order of `states`
    cdef int used
    cdef GatewayState* states[64]
    cdef int fds[64]
    cdef uint64_t rung[64]

    cdef int ring(self) noexcept nogil
