"""Events as columns: see columns.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.shm.layout cimport Record, Values

cdef enum:
    NO_RING = 0xFFFF

# The bitmaps, in the order of MAPS (columns.pyx).
cdef enum Has:
    HAS_ROW = 0
    HAS_RING
    HAS_EXCHANGE_TIME
    HAS_RECEIVE_TIME
    HAS_PRICE
    HAS_TRADE_ID
    HAS_NEW_TRADE_ID
    HAS_SEQ
    HAS_BID
    HAS_ASK
    HAS_COUNT
    HAS_STATE
    ALL_MAPS


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
    cdef uint8_t* state
    cdef uint8_t* maps[12]       # ALL_MAPS

    cdef int _fresh(self) except -1
    cdef char* _at(self, str name) except NULL
    cdef uint32_t add(self, const Record* record, uint16_t ring, uint64_t position) except? 0xFFFFFFFF
    cdef void _add_told(self, const Record* record, uint32_t at) noexcept
    cdef void has(self, int which, uint32_t at, bint it) noexcept
    cdef void received(self, uint32_t at, int64_t time) noexcept
    cdef int add_image(self, uint32_t row, int64_t time, const Values* values) except -1
