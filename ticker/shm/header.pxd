from libc.stdint cimport uint8_t, uint64_t

from ticker.shm.layout cimport FeedState, GatewayState, SegmentHeader


cdef class Mapping:
    """A mapped segment as its users see it: base address, header, length.

    Holds the buffer, so the addresses live as long as this object does. A holder of an
    address keeps a reference to the Mapping: the memory is unmapped with the last one.
    """

    cdef Py_buffer view
    cdef uint8_t* base
    cdef readonly uint64_t size
    cdef readonly bint writable
    cdef SegmentHeader* header
    cdef uint64_t* counters
    cdef uint64_t* histograms

    cdef FeedState* feed_state(self) except NULL
    cdef GatewayState* gateway_state(self) except NULL
