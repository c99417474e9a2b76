"""The events of a feed, gathered from its rings and rows: see gather.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.record.columns cimport Columns
from ticker.record.states cimport State
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Record
from ticker.shm.table cimport PriceTable


# Records of one ring that wait for their turn.
cdef struct Queue:
    Record* records
    uint64_t room
    uint64_t used
    uint64_t taken


cdef class Gather:
    cdef Mapping mapping
    cdef PriceTable table
    cdef list readers
    cdef void** rings
    cdef uint32_t ring_count
    cdef Queue* queues
    cdef State* states
    cdef uint64_t* generations   # of each row at the last look at all
    cdef uint32_t* touched
    cdef uint32_t touched_count
    cdef int64_t newest          # publish time of any record that was read
    cdef int64_t settled         # records before it are all read
    cdef readonly uint32_t rows  # that the events name
    cdef readonly int64_t time   # publish time of the last event that is in the columns
    cdef readonly int64_t hour   # of the events that are in the columns, since the epoch
    cdef readonly uint64_t lapped
    cdef readonly Columns columns

    cdef int _read(self, uint32_t index) except -1
    cdef int _next(self, int64_t before) noexcept
    cdef int _take(self, uint32_t index) except -1
    cdef int64_t _time_of_next(self, uint32_t index) noexcept
    cdef bint _has_room(self) noexcept
    cdef int _learn(self, uint32_t rows) except -1
    cdef int _heal(self, uint32_t row) except -1
    cdef void _touch(self, uint32_t row) noexcept
    cdef int _compare(self, int64_t before) except -1
    cdef bint _is_ahead(self, uint32_t row, int64_t before) noexcept
