"""The events of a feed in the order of their publication, from its rings and rows.

In: a feed's segment, which this process only reads. Out: columns of events (columns.pyx). Owned by
a recorder, which sweeps the rings often enough that they do not lap it.

Order: a publisher ends one flush before it begins the next. So when a record of a flush has been
seen, a sweep that begins after that finds all records of the flushes before. Those are taken, by
publish time, then by ring.

Check: beside the events stands the row that they make (states.pxd). It is held against the row in
memory when all its records are taken. Where the two differ, all words of the row are an event.

Law: no I/O and no clock.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.stdint cimport INT64_MAX, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memmove, memset

from ticker.record.columns cimport Columns
from ticker.record.states cimport State, adopt, apply
from ticker.shm.atomics cimport load_acquire
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CORRECTION,
    RECORD_DAY,
    RECORD_STATUS,
    RECORD_TRADE,
    Record,
    Values,
)
from ticker.shm.ring cimport RingReader
from ticker.shm.table cimport PriceTable, by_name

cdef enum:
    FIRST_ROOM = 4096            # records of a ring
    ROOM_LEFT = 512              # events beside the images of new rows: of the feed, and healed rows

cdef int64_t HOUR = 3_600_000_000_000
DONE, FULL, NEXT_HOUR = range(3)


cdef class Gather:
    """Of the feed whose segment is `mapping`, from now on.

    Args:
        batch: events in the columns, beside images of rows.

    Raises:
        MemoryError: no memory for a copy of the rows.
    """

    def __cinit__(self, Mapping mapping not None, batch: int) -> None:
        cdef uint32_t index
        self.mapping = mapping
        self.table = PriceTable(mapping)
        self.columns = Columns(batch + self.table.capacity + ROOM_LEFT)
        self.ring_count = mapping.ring_count
        self.readers = [RingReader(mapping, index) for index in range(self.ring_count)]
        self.rings = <void**>PyMem_Calloc(self.ring_count, sizeof(void*))
        self.queues = <Queue*>PyMem_Calloc(self.ring_count, sizeof(Queue))
        self.states = <State*>PyMem_Calloc(self.table.capacity, sizeof(State))
        self.generations = <uint64_t*>PyMem_Calloc(self.table.capacity, sizeof(uint64_t))
        self.touched = <uint32_t*>PyMem_Calloc(self.table.capacity, sizeof(uint32_t))
        if not (self.rings and self.queues and self.states and self.generations and self.touched):
            raise MemoryError("no memory for the rows of a recorder")
        for index, reader in enumerate(self.readers):
            self.rings[index] = <void*>reader
        self.hour = -1

    def __dealloc__(self) -> None:
        cdef uint32_t index
        if self.queues != NULL:
            for index in range(self.ring_count):
                PyMem_Free(self.queues[index].records)
        PyMem_Free(self.queues)
        PyMem_Free(self.rings)
        PyMem_Free(self.states)
        PyMem_Free(self.generations)
        PyMem_Free(self.touched)

    @property
    def waiting(self) -> int:
        """Records that were read and are not in the columns yet."""
        cdef uint32_t index
        return sum([self.queues[index].used - self.queues[index].taken
                    for index in range(self.ring_count)])

    def sweep(self) -> int:
        """Read all rings to their ends; how many records there were."""
        cdef uint32_t index
        cdef uint64_t before = self.waiting
        self.settled = self.newest
        for index in range(self.ring_count):
            self._read(index)
        return self.waiting - before

    def emit(self, *, whole: bool = False) -> int:
        """Put records whose turn it is into the columns: DONE, FULL (take the columns first), or
        NEXT_HOUR (take them, then `begin_hour`). `whole`: no flush is under way, so all of them."""
        cdef int64_t before = INT64_MAX if whole else self.settled
        cdef int index
        index = self._next(before)
        while index >= 0:
            if self.hour < 0:
                self.time = self._time_of_next(<uint32_t>index)
                self.hour = self.time // HOUR
            if self._time_of_next(<uint32_t>index) // HOUR > self.hour:
                self._compare(self.time)
                return NEXT_HOUR
            if not self._has_room():
                # Times of receipt can be added to trades of these columns only now.
                self._compare(self.time)
                return FULL
            self._take(<uint32_t>index)
            index = self._next(before)
        if self.hour >= 0:
            self._learn(self.table.row_count())
            self._compare(before)
        return DONE

    def begin_hour(self) -> None:
        """The next record's hour begins: each row is told as it is, to begin a file with."""
        cdef int index = self._next(INT64_MAX)
        cdef uint32_t row
        if index >= 0 and self._time_of_next(<uint32_t>index) // HOUR > self.hour:
            self.time = self._time_of_next(<uint32_t>index)
            self.hour = self.time // HOUR
        for row in range(self.rows):
            self.columns.add_image(row, self.time, &self.states[row].values)

    def look(self) -> None:
        """Look at all rows in the next `emit`: some change without a record. Once a second is often
        enough."""
        cdef uint32_t row
        cdef uint64_t generation
        if self.hour < 0:
            return
        for row in range(self.rows):
            generation = load_acquire(&self.table.rows[row].generation)
            if generation != self.generations[row]:
                self.generations[row] = generation
                self._touch(row)

    def state(self, row: int) -> dict[str, int]:
        """A row as the events up to now make it."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row}: the events name {self.rows}")
        return by_name(&self.states[<uint32_t>row].values)

    cdef int _read(self, uint32_t index) except -1:
        cdef RingReader reader = <RingReader>self.rings[index]
        cdef Queue* queue = &self.queues[index]
        cdef uint64_t skipped = reader.skipped
        cdef Record* grown
        cdef int found
        if queue.taken:
            memmove(queue.records, queue.records + queue.taken,
                    (queue.used - queue.taken) * sizeof(Record))
            queue.used -= queue.taken
            queue.taken = 0
        while True:
            if queue.used == queue.room:
                queue.room = 2 * queue.room if queue.room else FIRST_ROOM
                grown = <Record*>PyMem_Realloc(queue.records, queue.room * sizeof(Record))
                if grown == NULL:
                    raise MemoryError("no memory for the records of a ring")
                queue.records = grown
            found = reader.read(queue.records + queue.used)
            if found == 0:
                break
            if found == 1:
                # the commit marker has served; from here on it is the record's number
                queue.records[queue.used].sequence = reader.position - 1
                self.newest = max(self.newest, queue.records[queue.used].publish_time)
                queue.used += 1
        self.lapped += reader.skipped - skipped
        return 0

    cdef int _next(self, int64_t before) noexcept:
        """The ring of the next record by publish time, if that is before; else -1."""
        cdef int found = -1
        cdef uint32_t index
        cdef int64_t time
        for index in range(self.ring_count):
            if self.queues[index].taken < self.queues[index].used:
                time = self.queues[index].records[self.queues[index].taken].publish_time
                if time < before:
                    before = time
                    found = <int>index
        return found

    cdef int64_t _time_of_next(self, uint32_t index) noexcept:
        return self.queues[index].records[self.queues[index].taken].publish_time

    cdef bint _has_room(self) noexcept:
        """For what one record can bring: itself, the image of its row, those of new rows."""
        return (self.columns.used + ROOM_LEFT + self.table.row_count() - self.rows
                <= self.columns.capacity)

    cdef int _take(self, uint32_t index) except -1:
        """One record, and what it does to its row."""
        cdef Record* record = self.queues[index].records + self.queues[index].taken
        cdef State* state
        cdef uint32_t at
        self.queues[index].taken += 1
        if record.row >= self.table.row_count():
            return 0
        self.time = max(self.time, record.publish_time)
        if record.row >= self.rows:
            self._learn(self.table.row_count())
        state = &self.states[record.row]
        if (record.kind == RECORD_CORRECTION or record.kind == RECORD_DAY
                or record.kind == RECORD_STATUS):
            self._heal(record.row)
        at = self.columns.add(record, <uint16_t>index, record.sequence)
        apply(state, record, record.publish_time)
        if record.kind == RECORD_TRADE:
            state.batch = self.columns.batch
            state.place = at + 1
        self._touch(record.row)
        return 0

    cdef int _learn(self, uint32_t rows) except -1:
        """New rows begin as they are in memory, which may be ahead of their records."""
        cdef Values values
        while self.rows < rows:
            if self.table.read(self.rows, &values) < 0:  # the writer outran us: `_compare` heals it
                memset(&values, 0, sizeof(Values))
                self._touch(self.rows)
            adopt(&self.states[self.rows], &values)
            self.columns.add_image(self.rows, self.time, &values)
            self.rows += 1
        return 0

    cdef int _heal(self, uint32_t row) except -1:
        """The row in memory, if its events make another one of it."""
        cdef State* state = &self.states[row]
        cdef Values values
        cdef int64_t received
        if self.table.read(row, &values) < 0:
            return 0
        received = values.receive_time
        values.receive_time = state.values.receive_time
        if memcmp(&values, &state.values, sizeof(Values)) == 0:
            if received == state.values.receive_time:
                return 0
            if state.batch == self.columns.batch and state.place:
                self.columns.received(state.place - 1, received)
                state.values.receive_time = received
                return 0
        values.receive_time = received
        adopt(state, &values)
        self.columns.add_image(row, self.time, &values)
        return 0

    cdef void _touch(self, uint32_t row) noexcept:
        if not self.states[row].touched:
            self.states[row].touched = True
            self.touched[self.touched_count] = row
            self.touched_count += 1

    cdef int _compare(self, int64_t before) except -1:
        """Hold the rows that have changed against those in memory, if all their records are taken;
        the others are looked at the next time."""
        cdef uint32_t count = self.touched_count
        cdef uint32_t i, row
        cdef State* state
        self.touched_count = 0
        for i in range(count):
            row = self.touched[i]
            state = &self.states[row]
            state.touched = False
            if self.columns.used == self.columns.capacity or self._is_ahead(row, before):
                self._touch(row)
            else:
                self._heal(row)
        return 0

    cdef bint _is_ahead(self, uint32_t row, int64_t before) noexcept:
        """Whether records of what the row shows may still come."""
        cdef Values values
        if self.table.read(row, &values) < 0:
            return True
        return (values.publish_time > self.states[row].values.publish_time
                and values.publish_time >= before)
