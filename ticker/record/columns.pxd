"""Events as columns: see columns.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.shm.layout cimport Record, Values

cdef enum:
    NO_RING = 0xFFFF


cdef class Columns:
    cdef readonly uint32_t capacity
    cdef readonly uint32_t used
    cdef readonly uint64_t batch # how many were taken before
    cdef dict buffers
    cdef list images
    cdef int64_t* publish_time
    cdef uint8_t* kind
    cdef uint32_t* row
    cdef int64_t* exchange_time
    cdef int64_t* receive_time
    cdef int64_t* price
    cdef uint64_t* size
    cdef uint64_t* trade_id
    cdef uint64_t* other         # seq, new trade id, size of the ask, or a count
    cdef uint16_t* conditions
    cdef uint16_t* ring
    cdef uint64_t* position

    cdef int _fresh(self) except -1
    cdef char* _at(self, str name) except NULL
    cdef uint32_t add(self, const Record* record, uint16_t ring, uint64_t position) except? 0xFFFFFFFF
    cdef int add_image(self, uint32_t row, int64_t time, const Values* values) except -1
