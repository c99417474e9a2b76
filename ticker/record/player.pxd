"""Events into a feed's segment: see player.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.record.events cimport Events, Image
from ticker.record.states cimport State
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Record
from ticker.shm.table cimport TableWriter


cdef class Player:
    cdef Mapping mapping
    cdef TableWriter table
    cdef DoorbellRinger ringer
    cdef list writers
    cdef void** rings
    cdef dict known              # row of the table by symbol and venue
    cdef uint32_t ring_count
    cdef State* states           # by row of the table
    cdef int32_t* rows           # by row of the recording: row of the table, -1: none
    cdef uint32_t row_room
    cdef uint32_t* dirty
    cdef uint32_t dirty_count
    cdef Record* pending
    cdef uint16_t* shards
    cdef uint32_t pending_count
    cdef uint32_t pending_room
    cdef int64_t shift
    cdef int64_t now             # publish time of the flush that is being gathered
    cdef bint faulty
    cdef readonly uint64_t events
    cdef readonly uint64_t no_room
    cdef public bint silent      # rows and rings stay as they are

    cdef int _stage(self, Record* record, int64_t received, uint16_t shard) except -1
    cdef int _pend(self, const Record* record, uint16_t shard) except -1
    cdef void _flush(self) noexcept
    cdef void _as_it_comes(self, State* state, Record* record, int64_t received) noexcept
    cdef void _mark(self, uint32_t row) noexcept
    cdef int _map(self, uint32_t row) except -1
    cdef int _play_one(self, Events events, uint32_t at) except -1
    cdef int _adopt(self, uint32_t row, Image image) except -1
    cdef int64_t _append(self, Image image) except -2
