"""Prices for other programs: see topic.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.cluster.news cimport Shard
from ticker.cluster.outgoing cimport Outgoing


cdef class PriceTopic:
    cdef Outgoing outgoing
    cdef int64_t interval
    cdef bint frames             # values are frames, else JSON
    cdef bytes feed_text         # what follows the trading status in an object
    cdef bytes end_text
    cdef char* object
    # The trades of a shard by row, numbers + 1; 0: none.
    cdef uint32_t* first         # by row
    cdef uint32_t* last
    cdef uint32_t* next          # by trade
    cdef uint32_t next_room
    cdef readonly uint64_t told  # messages

    cdef int _tell(self, uint32_t number, int64_t now, list found) except -1
    cdef int _tell_object(self, uint32_t row, list found) except -1
    cdef int _write(self, uint32_t row) except -1
    cdef int _sort_trades(self, Shard* shard) except -1
    cdef int _tell_frames(self, Shard* shard, uint32_t number, uint32_t row, int64_t now, list found) except -1
    cdef bytes _key(self, uint32_t row)
