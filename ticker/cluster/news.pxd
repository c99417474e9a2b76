"""What is new in a feed's segment: see news.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.cluster.frame cimport FrameTrade, put_trade, put_trade_of_row
from ticker.pages cimport prefetch, prefetch_to_write
from ticker.shm.atomics cimport load_relaxed
from ticker.shm.layout cimport CACHE_LINE, COMMON_WORDS, Record, Values
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
    uint16_t place               # among the rows of the newest frame that had it

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


# Whether a row's last sale is this trade.
cdef inline bint shows(const Values* values, const FrameTrade* trade) noexcept nogil:
    return (
        values.seq == trade.seq and values.price == trade.price and values.size == trade.size
        and values.exchange_time == trade.exchange_time
    )


# `count` trades behind the `rows` rows of a frame, whose times count from `near`: one that is a row's
# last sale refers to it. `places`: by place among them, a row that has its trade. Returns the end.
cdef inline uint8_t* put_trades(
    News news, uint8_t* at, const FrameTrade* trades, uint32_t count, const uint32_t* places,
    uint32_t rows, uint64_t near
) noexcept nogil:
    cdef uint32_t i, row, place
    for i in range(count):
        row = trades[i].row
        place = news.told[row].place
        if place < rows and places[place] == row and shows(&news.values[row], trades + i):
            at = put_trade_of_row(at, trades + i, place)
        else:
            at = put_trade(at, trades + i, near)
    return at


# ns from `now` in which no shard is due that is told each `interval`; 0: one may be at once.
cdef inline int64_t pause_of(News news, int64_t now, int64_t interval) noexcept nogil:
    cdef int64_t age, least = interval
    cdef uint32_t number
    for number in range(news.shard_count):
        age = now - news.shards[number].flushed
        if not 0 <= age < interval:
            return 0
        least = min(least, interval - age)
    return least


# How many rows of a shard were named in this epoch.
cdef inline uint32_t defined_of(News news, uint32_t shard) noexcept nogil:
    cdef uint32_t row = news.shards[shard].first_row
    cdef uint32_t count = 0
    while row:
        count += news.told[row - 1].defined
        row = news.told[row - 1].next_of_shard
    return count


# The next rows of a shard that were named, `most` at most, from `after` (a row + 1) on; how many.
cdef inline uint32_t take_defined(
    News news, uint32_t* after, uint32_t* rows, uint32_t most
) noexcept nogil:
    cdef uint32_t count = 0
    while after[0] and count < most:
        if news.told[after[0] - 1].defined:
            rows[count] = after[0] - 1
            count += 1
        after[0] = news.told[after[0] - 1].next_of_shard
    return count


# The row is read soon, and lies anywhere in memory: which copy of it is current.
cdef inline void fetch(News news, uint32_t row) noexcept nogil:
    prefetch(<char*>&news.table.rows[row])
    prefetch_to_write(<char*>&news.told[row], 1, 2)


# Now the copy, without the other one, which its writer is at; and what was told of it.
cdef inline void fetch_copies(News news, uint32_t row) noexcept nogil:
    cdef uint64_t current = load_relaxed(&news.table.rows[row].generation) >> 1 & 1
    cdef char* copy = <char*>news.table.rows[row].copies[current]
    cdef size_t line
    for line in range(<size_t>(COMMON_WORDS * 8 // CACHE_LINE)):
        prefetch(copy + line * CACHE_LINE)
    prefetch(<char*>news.table.rests[row].copies[current])
    fetch_values(news, row)


# While a shard is told, what the two that wait behind it need first: which copies of all rows of the
# next one are current, `most` of these, and its trades; of the one after it which copies are.
cdef inline void fetch_next(News news, uint32_t place, uint32_t most) noexcept nogil:
    cdef Shard* shard
    cdef uint32_t i
    if place + 1 < news.waiting_count:
        shard = &news.shards[news.waiting[place + 1]]
        for i in range(min(most, shard.changed_used)):
            fetch_copies(news, shard.changed[i])
        for i in range(most, min(8 * most, shard.changed_used)):
            fetch(news, shard.changed[i])
        for i in range(min(most, shard.trades_used)):
            prefetch(<char*>(shard.trades + i))
    if place + 2 < news.waiting_count:
        shard = &news.shards[news.waiting[place + 2]]
        for i in range(min(most, shard.changed_used)):
            fetch(news, shard.changed[i])


cdef inline void fetch_values(News news, uint32_t row) noexcept nogil:
    cdef char* values = <char*>&news.values[row]
    cdef size_t line
    for line in range(<size_t>(sizeof(Values) // CACHE_LINE)):
        prefetch_to_write(values + line * CACHE_LINE, 1, 2)
