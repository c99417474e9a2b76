"""The books that somebody watches: one writer, any number of readers that never wait.

Law: as in a row of the table (table.pyx): the writer fills the copy that is not current, then makes
it current. A place belongs to one row at a time; the row names its place, and the book its row, so
a reader never takes the book of another row for its own. A book's seq only grows: a place that is
given up leaves the greatest seq behind, and whoever takes a place goes on from there.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset

from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.depth.layout cimport DEPTH_WORDS, DepthLevel, DepthRow, DepthValues
from ticker.shm.layout cimport DEPTH_LEVELS, DEPTH_ROW_BYTES

from ticker.errors import SegmentError

cdef enum:
    READ_ATTEMPTS = 100
    HEAD_WORDS = DEPTH_WORDS - 2 * 2 * DEPTH_LEVELS    # in front of the levels

if sizeof(DepthValues) != 8 * DEPTH_WORDS or sizeof(DepthRow) != DEPTH_ROW_BYTES:
    raise ImportError("DepthValues: DEPTH_WORDS words, and two of them in DEPTH_ROW_BYTES (layout.pxd)")


cdef inline const uint64_t* current_copy(const DepthRow* book, uint64_t generation) noexcept nogil:
    return book.copies[(generation >> 1) & 1]


cdef inline uint64_t* resting_copy(DepthRow* book, uint64_t generation) noexcept nogil:
    return book.copies[((generation >> 1) + 1) & 1]


cdef inline size_t words_of(uint64_t count) noexcept nogil:
    """Words of so many levels; a count that cannot be is that of a torn copy."""
    return 2 * <size_t>(count if count < DEPTH_LEVELS else DEPTH_LEVELS)


cdef inline bint same_book(const DepthValues* a, const DepthValues* b) noexcept nogil:
    cdef int side
    if a.row != b.row or a.levels != b.levels:
        return False
    for side in range(2):
        if a.counts[side] != b.counts[side] or memcmp(
            a.sides[side], b.sides[side], a.counts[side] * sizeof(DepthLevel)
        ):
            return False
    return True


cdef class DepthReader:
    """Reads books. `mapping`, of a feed's segment, may be read-only."""

    def __cinit__(self, Mapping mapping not None, *_: object) -> None:
        self.mapping = mapping
        self.state = mapping.feed_state()
        self.places = <uint64_t*>(mapping.base + mapping.header.depth_offset)
        # behind the places, which fill whole cache lines
        self.books = <DepthRow*>(self.places + ((mapping.header.row_capacity + 7) & ~<uint64_t>7))
        self.capacity = <uint32_t>mapping.header.depth_capacity

    cdef uint32_t place_of(self, uint32_t row) noexcept nogil:
        """The place of the book of a row of the table, NO_DEPTH: it has none."""
        cdef uint64_t place = load_acquire(&self.places[row])
        return <uint32_t>(place - 1) if 0 < place <= self.capacity else <uint32_t>NO_DEPTH

    cdef uint64_t generation(self, uint32_t place) noexcept nogil:
        """Moves with each publication in a place."""
        return load_relaxed(&self.books[place].generation)

    cdef bint read(self, uint32_t row, DepthValues* out) noexcept nogil:
        """Copy the book of a row of the table. False: it has none, or its writer outran all
        copies; `out` is then not to be used."""
        cdef uint32_t place = self.place_of(row)
        cdef uint32_t attempt
        cdef uint64_t generation
        cdef const uint64_t* copy
        if place == NO_DEPTH:
            return False
        for attempt in range(<uint32_t>READ_ATTEMPTS):
            generation = load_acquire(&self.books[place].generation)
            copy = current_copy(&self.books[place], generation)
            copy_words_out(<uint64_t*>out, copy, HEAD_WORDS)
            copy += HEAD_WORDS
            copy_words_out(<uint64_t*>out.sides[0], copy, words_of(out.counts[0]))
            copy += 2 * DEPTH_LEVELS
            copy_words_out(<uint64_t*>out.sides[1], copy, words_of(out.counts[1]))
            fence_acquire()
            if load_relaxed(&self.books[place].generation) <= (generation | 1) + 1:
                return out.row == <uint64_t>row + 1
        return False

    def full(self) -> bool:
        """Whether there are places for books, and all of them are taken."""
        cdef uint64_t taken = 0
        cdef uint32_t row
        for row in range(<uint32_t>load_acquire(&self.state.row_count)):
            taken += load_relaxed(&self.places[row]) != 0
        return self.capacity != 0 and taken >= self.capacity

    def book(self, row: int) -> dict[str, object] | None:
        """The book of a row of the table: `seq`, `time`, `publish_time`, `levels`, and `bids` and
        `asks` as (price in 1e-9, size), best first. None: the row has none.

        Raises:
            IndexError: no such row.
        """
        cdef DepthValues values
        if not 0 <= row < self.mapping.row_capacity:
            raise IndexError(f"row {row}: the table has room for {self.mapping.row_capacity}")
        if not self.read(row, &values):
            return None
        return {
            "seq": values.seq, "time": values.time, "publish_time": values.publish_time,
            "levels": values.levels, "bids": listed(&values, 0), "asks": listed(&values, 1),
        }


cdef list listed(const DepthValues* values, int side):
    cdef uint32_t i
    return [
        (values.sides[side][i].price, values.sides[side][i].size)
        for i in range(<uint32_t>values.counts[side])
    ]


cdef class DepthWriter(DepthReader):
    """The single writer. Making one takes the books over, and repairs what its predecessor, killed
    inside a book, left odd."""

    def __cinit__(self, Mapping mapping not None) -> None:
        cdef uint32_t place, row
        cdef uint8_t* taken
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.free_places = <uint32_t*>calloc(self.capacity + 1, sizeof(uint32_t))
        taken = <uint8_t*>calloc(self.capacity + 1, 1)
        if self.free_places == NULL or taken == NULL:
            free(taken)
            raise MemoryError("no memory for the books' places")
        for row in range(<uint32_t>load_acquire(&self.state.row_count)):
            place = self.place_of(row)
            if place != NO_DEPTH:
                taken[place] = 1
        for place in range(self.capacity):
            self._repair(place)
            if not taken[self.capacity - 1 - place]:
                self.free_places[self.free_count] = self.capacity - 1 - place
                self.free_count += 1
        free(taken)

    def __dealloc__(self) -> None:
        free(self.free_places)

    cdef void _repair(self, uint32_t place) noexcept nogil:
        """Finish what a killed predecessor began, with the book that was current (layout.pxd)."""
        cdef DepthRow* book = self.books + place
        cdef uint64_t generation = load_acquire(&book.generation)
        if generation & 1:
            fence_release()
            copy_words_in(
                resting_copy(book, generation), current_copy(book, generation), DEPTH_WORDS
            )
            store_release(&book.generation, (generation | 1) + 1)

    cdef const DepthValues* current(self, uint32_t place) noexcept nogil:
        """What a place shows now. For the writer."""
        return <const DepthValues*>current_copy(
            &self.books[place], load_relaxed(&self.books[place].generation)
        )

    cdef uint32_t take(self, uint32_t row) noexcept nogil:
        """A place for the book of a row, which readers see once it is published. NO_DEPTH: all are
        taken."""
        cdef uint32_t place = self.place_of(row)
        cdef DepthValues values
        if place != NO_DEPTH:
            return place
        if not self.free_count:
            return NO_DEPTH
        self.free_count -= 1
        place = self.free_places[self.free_count]
        memset(&values, 0, sizeof(values))
        values.seq = max(load_relaxed(&self.state.depth_seq), self.current(place).seq)
        self._write(place, &values)  # nobody's, until it is published
        store_release(&self.places[row], <uint64_t>place + 1)
        return place

    cdef void give_up(self, uint32_t row) noexcept nogil:
        """The row has no book any more, if it has one."""
        cdef uint32_t place = self.place_of(row)
        if place == NO_DEPTH:
            return
        if self.current(place).seq > load_relaxed(&self.state.depth_seq):
            store_relaxed(&self.state.depth_seq, self.current(place).seq)
        store_release(&self.places[row], 0)
        self.free_places[self.free_count] = place
        self.free_count += 1

    cdef bint publish(self, uint32_t place, DepthValues* values) noexcept nogil:
        """Make a book the current one, unless it is already; whether it was not. Its seq is filled
        in here."""
        cdef const DepthValues* before = self.current(place)
        if same_book(before, values):
            return False
        values.seq = before.seq + 1
        self._write(place, values)
        return True

    def put(
        self, row: int, levels: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]],
        time: int,
    ) -> None:
        """Publish the book of a row of the table from Python: (price in 1e-9, size), best first.

        Raises:
            SegmentError: no such row, more levels than there can be, or all places are taken.
        """
        cdef DepthValues values
        cdef uint32_t place = NO_DEPTH
        cdef int side, i
        if 0 <= row < <int64_t>load_acquire(&self.state.row_count) and (
            max(len(bids), len(asks)) <= levels <= DEPTH_LEVELS
        ):
            place = self.take(row)
        if place == NO_DEPTH:
            raise SegmentError(f"row {row}, {levels} levels: no such book, or no place is free")
        values.row = row + 1
        values.time = values.publish_time = time
        values.levels = levels
        values.reserved[0] = 0
        for side, given in enumerate((bids, asks)):
            values.counts[side] = len(given)
            for i, (price, size) in enumerate(given):
                values.sides[side][i].price = price
                values.sides[side][i].size = size
        self.publish(place, &values)

    cdef void _write(self, uint32_t place, const DepthValues* values) noexcept nogil:
        cdef DepthRow* book = self.books + place
        cdef uint64_t generation = load_relaxed(&book.generation)
        cdef uint64_t* copy = resting_copy(book, generation)
        store_release(&book.generation, generation + 1)
        fence_release()
        copy_words_in(copy, <const uint64_t*>values, HEAD_WORDS)
        copy += HEAD_WORDS
        copy_words_in(copy, <const uint64_t*>values.sides[0], words_of(values.counts[0]))
        copy += 2 * DEPTH_LEVELS
        copy_words_in(copy, <const uint64_t*>values.sides[1], words_of(values.counts[1]))
        store_release(&book.generation, generation + 2)
