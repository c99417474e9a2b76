"""What is new in a feed's segment: see news.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.cluster.frame cimport FrameTrade
from ticker.shm.layout cimport Record, Values
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.table cimport PriceTable

# A row, as far as each of its records needs it: few bytes, so that those of all rows stay near.
cdef struct Told:
    uint64_t generation          # of the row when it was looked at last
    uint32_t next_of_shard       # row + 1; 0: none
    uint16_t shard
    uint8_t changed              # in its shard's list
    uint8_t again                # readers are to read it again
    uint8_t defined              # its name was told in this epoch

cdef struct Shard:
    uint64_t batch               # of the newest frame
    int64_t flushed              # when that was
    uint32_t first_row           # row + 1; 0: none
    uint32_t rows
    uint32_t changed_used
    uint32_t changed_room        # twice its rows: one may change while it is told
    uint32_t* changed            # rows, in the order in which they changed
    uint32_t trades_used
    uint32_t trades_room
    uint32_t trades_old          # of those that are kept while nobody is told: from before
    FrameTrade* trades
    bint waits                   # in the list of those that have something to tell


# A row of those that changed, which may change again from now on.
cdef inline uint32_t take_changed(Told* told, Shard* shard, uint32_t place) noexcept nogil:
    cdef uint32_t row = shard.changed[place]
    told[row].changed = False
    return row


# The first `count` of those that changed were taken.
cdef inline void drop_changed(Shard* shard, uint32_t count) noexcept nogil:
    shard.changed_used -= count
    memmove(shard.changed, shard.changed + count, shard.changed_used * sizeof(uint32_t))


@cython.final
cdef class News:
    cdef PriceTable table
    cdef list readers
    cdef Told* told              # by row
    cdef size_t told_bytes
    cdef Values* values          # by row: as frames have told it
    cdef size_t values_bytes
    cdef Shard* shards
    cdef Sharding sharding
    cdef uint32_t shard_count
    cdef uint32_t* waiting       # numbers of shards that have something to tell
    cdef uint32_t waiting_count
    cdef uint32_t trades_waiting
    cdef uint32_t rows           # of the table, that are known
    cdef bint with_trades
    cdef bint rests              # only trades that a successor of a speaker tells are kept
    cdef uint64_t lapped         # records overwritten before they were read
    cdef uint64_t dropped        # trades beyond the bound

    # Read all rings to their ends; how many records there were.
    cdef uint64_t gather(self) except *
    # Look at all rows: some change without a record. Once a second is often enough.
    cdef int look(self) except -1
    # Nobody is told: forget which rows changed, and of trades those that were `old` at the last call
    # with `ages`. A box that begins to speak tells the others.
    cdef void rest(self, bint ages) noexcept nogil
    # The row is to be told; `again`: readers are to read it again.
    cdef void change(self, uint32_t row, bint again) noexcept nogil
    cdef void wait(self, uint32_t shard) noexcept nogil
    # Take in the rows that have come to the table.
    cdef int learn(self) except -1
    cdef void _fetch_trade(self, uint32_t row) noexcept nogil
    cdef int _add_to(self, Shard* shard) except -1
    cdef int _rewind(self) except -1
    cdef void _forget_old(self, Shard* shard) noexcept nogil
    cdef void _record(self, const Record* record) noexcept
    cdef int _keep_trade(self, const Record* record) except -1
