"""The sends of a turn, gathered: by one call of the kernel for many, or one each."""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t

from ticker.gateway.sockets.connection cimport ConnectionTable


cdef extern from "ticker/gateway/sockets/c/ring.c" nogil:
    enum:
        RING_SLOTS
        RING_UNSENT
    struct ticker_ring:
        int fd
    int ring_open(ticker_ring* ring)
    void ring_close(ticker_ring* ring)
    void ring_put(ticker_ring* ring, uint32_t slot, int fd, const void* data, uint32_t length)
    int ring_submit(ticker_ring* ring, uint32_t count, int32_t* results)

cdef struct Gathered:
    const uint8_t* data
    uint32_t length
    uint32_t number              # of the connection


@cython.final
cdef class Sender:
    cdef ConnectionTable connections
    cdef ticker_ring ring
    cdef bint ringing            # `ring` is open
    cdef int error               # why it is not: an errno, 0: nobody asked for it
    cdef Gathered[256] gathered
    cdef int32_t[256] results
    cdef uint32_t count

    cdef bint put(self, uint32_t number, const uint8_t* data, size_t length) noexcept nogil
    cdef bint full(self) noexcept nogil
    cdef void send_all(self) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef void _submit(self) noexcept nogil
