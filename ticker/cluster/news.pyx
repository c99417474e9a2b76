"""What is new in a feed's segment since it was told: the rows that changed, and the trades.

In: rings and rows, which this process only reads. Out: queues by shard, which outgoing.pyx makes
frames of. Law: no I/O and no clock.

Bound: MOST_WAITING trades; what comes beyond is dropped and counted, and the `seq` of the rows says to
readers that it is missing.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memmove

from ticker.cluster.frame cimport FrameTrade
from ticker.pages cimport give_pages, prefetch, prefetch_to_write, take_pages
from ticker.shm.atomics cimport load_acquire
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CORRECTION,
    RECORD_DAY,
    RECORD_PRINT,
    RECORD_QUOTE,
    SYMBOL_BYTES,
    Record,
    Row,
)
from ticker.shm.ring cimport RingReader
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.table cimport PriceTable

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    MOST_WAITING = 1 << 21       # 2 s at 1M trades a second, as long as rings hold them: 100 MB
    AHEAD = 12                   # records: their rows; twice as far, the records themselves


cdef class News:
    """Of the segment `mapping`, from now on; `with_trades`: trades are told, too."""

    def __cinit__(
        self, Mapping mapping not None, Sharding sharding not None, bint with_trades
    ) -> None:
        cdef uint32_t shards = sharding.count
        self.table = PriceTable(mapping)
        self.readers = [RingReader(mapping, index) for index in range(mapping.ring_count)]
        self._rewind()
        self.rests = True
        self.with_trades = with_trades
        self.sharding = sharding
        self.shard_count = shards
        self.told_bytes = self.table.capacity * sizeof(Told)
        self.told = <Told*>take_pages(self.told_bytes)
        self.values_bytes = self.table.capacity * sizeof(Values)
        self.values = <Values*>take_pages(self.values_bytes)
        self.shards = <Shard*>PyMem_Calloc(shards, sizeof(Shard))
        self.waiting = <uint32_t*>PyMem_Calloc(shards, sizeof(uint32_t))
        if not (self.told and self.values and self.shards and self.waiting):
            raise MemoryError("no memory for the rows of a relay")

    def __dealloc__(self) -> None:
        cdef uint32_t shard
        if self.shards != NULL:
            for shard in range(self.shard_count):
                PyMem_Free(self.shards[shard].trades)
                PyMem_Free(self.shards[shard].changed)
        give_pages(self.told, self.told_bytes)
        give_pages(self.values, self.values_bytes)
        PyMem_Free(self.shards)
        PyMem_Free(self.waiting)

    cdef int _rewind(self) except -1:
        """Begin with what the rings still have, but for the half that the writer comes to first."""
        cdef RingReader reader
        cdef uint64_t back
        for reader in self.readers:
            back = min(reader.position, (reader.ring.mask + 1) // 2)
            reader.position -= back
        return 0

    cdef uint64_t gather(self) except *:
        """Read all rings to their ends; how many records there were."""
        cdef RingReader reader
        cdef Record record
        cdef Told* told = self.told
        cdef uint64_t before, end, ahead
        cdef int got
        cdef uint32_t row
        cdef uint64_t seen = 0
        for reader in self.readers:
            before = reader.skipped
            end = load_acquire(&reader.ring.head.cursor)
            while True:
                ahead = reader.position + AHEAD
                if ahead + AHEAD < end:  # beyond, the writer is
                    prefetch(&reader.ring.records[(ahead + AHEAD) & reader.ring.mask])
                if ahead < end:
                    row = reader.ring.records[ahead & reader.ring.mask].row
                    if row < self.rows:
                        prefetch_to_write(&told[row], 1, 2)
                if ahead - AHEAD // 2 < end:
                    self._fetch_trade(reader.ring.records[(ahead - AHEAD // 2) & reader.ring.mask].row)
                got = reader.read(&record)
                if got == 0:
                    break
                if got < 0:
                    self.learn()
                    for row in range(self.rows):
                        self.change(row, True)
                    continue
                seen += 1
                if record.row >= self.rows:
                    self.learn()
                if record.row < self.rows:
                    self._record(&record)
                    if self.with_trades:
                        self._keep_trade(&record)
            self.lapped += reader.skipped - before
        return seen

    cdef void _fetch_trade(self, uint32_t row) noexcept nogil:
        """The place of a trade of this row: its end, as its begin is beside the trade before."""
        cdef Shard* shard
        if row < self.rows and self.with_trades:
            shard = &self.shards[self.told[row].shard]
            prefetch_to_write(<char*>(shard.trades + shard.trades_used + 1) - 1, 1, 2)

    cdef int look(self) except -1:
        """Look at all rows: some change without a record. Once a second is often enough."""
        cdef uint32_t row
        cdef uint64_t generation
        self.learn()
        for row in range(self.rows):
            generation = load_acquire(&self.table.rows[row].generation)
            if generation != self.told[row].generation:
                self.told[row].generation = generation
                self.change(row, False)
        return 0

    cdef void rest(self, bint ages) noexcept nogil:
        cdef uint32_t number, row
        cdef uint32_t left = 0
        cdef uint32_t i
        cdef Shard* shard
        for i in range(self.waiting_count):
            number = self.waiting[i]
            shard = &self.shards[number]
            for row in range(shard.changed_used):
                self.told[shard.changed[row]].changed = self.told[shard.changed[row]].again = False
            shard.changed_used = 0
            if ages:
                self._forget_old(shard)
            shard.waits = shard.trades_used > 0
            if shard.waits:
                self.waiting[left] = number
                left += 1
        self.waiting_count = left

    cdef void _forget_old(self, Shard* shard) noexcept nogil:
        cdef uint32_t old = min(shard.trades_old, shard.trades_used)
        shard.trades_used -= old
        self.trades_waiting -= old
        memmove(shard.trades, shard.trades + old, shard.trades_used * sizeof(FrameTrade))
        shard.trades_old = shard.trades_used

    cdef void _record(self, const Record* record) noexcept:
        self.change(record.row, record.kind == RECORD_CORRECTION or record.kind == RECORD_DAY)

    cdef void change(self, uint32_t row, bint again) noexcept nogil:
        cdef Told* told = &self.told[row]
        cdef Shard* shard = &self.shards[told.shard]
        told.again = told.again or again
        if told.changed:
            return
        told.changed = True
        shard.changed[shard.changed_used] = row
        shard.changed_used += 1
        self.wait(told.shard)

    cdef void wait(self, uint32_t shard) noexcept nogil:
        if not self.shards[shard].waits:
            self.shards[shard].waits = True
            self.waiting[self.waiting_count] = shard
            self.waiting_count += 1

    cdef int _keep_trade(self, const Record* record) except -1:
        cdef Shard* shard = &self.shards[self.told[record.row].shard]
        cdef FrameTrade* grown
        cdef FrameTrade* trade
        cdef uint32_t room
        if RECORD_QUOTE <= record.kind <= RECORD_CORRECTION or record.kind == RECORD_DAY:
            return 0
        if self.rests and record.kind > RECORD_PRINT:
            return 0  # only trades have a number by which readers know those that they have
        if self.trades_waiting >= MOST_WAITING:
            self.dropped += 1
            return 0
        if shard.trades_used == shard.trades_room:
            room = 2 * shard.trades_room if shard.trades_room else 64
            grown = <FrameTrade*>PyMem_Realloc(shard.trades, room * sizeof(FrameTrade))
            if grown == NULL:
                raise MemoryError("no memory for the trades of a relay")
            shard.trades = grown
            shard.trades_room = room
        trade = shard.trades + shard.trades_used
        trade.row = record.row
        trade.kind = record.kind
        trade.form = 0
        trade.conditions = record.conditions
        trade.price = record.price
        trade.size = record.size
        trade.exchange_time = record.exchange_time
        trade.match = record.match
        trade.seq = record.seq
        shard.trades_used += 1
        self.trades_waiting += 1
        return 0

    cdef int learn(self) except -1:
        """Take in the rows that have come to the table."""
        cdef uint32_t count = self.table.row_count()
        cdef Told* told
        cdef Row* row
        while self.rows < count:
            row = &self.table.rows[self.rows]
            told = &self.told[self.rows]
            told.shard = <uint16_t>self.sharding.of(
                row.symbol, strnlen(row.symbol, SYMBOL_BYTES)
            )
            self._add_to(&self.shards[told.shard])
            told.next_of_shard = self.shards[told.shard].first_row
            self.shards[told.shard].first_row = self.rows + 1
            self.rows += 1
            self.change(self.rows - 1, False)
        return 0

    cdef int _add_to(self, Shard* shard) except -1:
        """One row more in the shard: it has room in the list of those that changed."""
        cdef uint32_t room = 2 * shard.changed_room if shard.changed_room else 16
        cdef uint32_t* grown
        shard.rows += 1
        if 2 * shard.rows > shard.changed_room:
            grown = <uint32_t*>PyMem_Realloc(shard.changed, room * sizeof(uint32_t))
            if grown == NULL:
                raise MemoryError("no memory for the rows of a relay")
            shard.changed = grown
            shard.changed_room = room
        return 0
