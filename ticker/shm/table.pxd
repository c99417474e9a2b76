from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport FeedState, Row, Values


cdef class PriceTable:
    """Any reader's view of a feed's rows."""

    cdef Mapping mapping
    cdef Row* rows
    cdef FeedState* state
    cdef readonly uint32_t capacity

    cdef uint32_t row_count(self) noexcept nogil
    cdef int read(self, uint32_t row, Values* out) noexcept nogil
    cdef Row* _checked(self, object row) except NULL


cdef class TableWriter(PriceTable):
    """The one writer's view."""

    cdef readonly uint32_t repaired
    cdef uint32_t used

    cdef int64_t append(
        self, const char* symbol, size_t symbol_length, const char* venue,
        const char* currency, uint64_t size_exponent, uint64_t instrument_key,
    ) noexcept nogil
    cdef void publish(self, uint32_t row, const Values* values) noexcept nogil
