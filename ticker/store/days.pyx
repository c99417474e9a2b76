"""The day of each row of a feed: its figures while it lasts, and once more when it is over.

In: the rows of a feed's segment. Out: (symbol, venue, start of the day, figures). Owned by the store
worker, who looks each second: what changed in the last look before a midnight is what the day keeps.

Law: no I/O and no clock.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.shm.atomics cimport load_acquire
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OFFICIAL_OPEN,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_HAS_REGULAR,
    SYMBOL_BYTES,
    VENUE_BYTES,
    Row,
    Values,
)
from ticker.shm.table cimport PriceTable
from ticker.store.snapshot cimport Contents

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cdef tuple names_of(const Row* row):
    """Symbol and venue, as bytes."""
    return (
        row.symbol[:strnlen(row.symbol, SYMBOL_BYTES)],
        row.venue[:strnlen(row.venue, VENUE_BYTES)],
    )


cdef inline bint same_day_figures(const Values* one, const Values* other) noexcept:
    return (
        one.trades == other.trades and one.corrections == other.corrections
        and one.volume == other.volume and one.seq == other.seq
        and one.official_open == other.official_open
        and one.official_close == other.official_close
        and one.previous_close == other.previous_close
        and one.session_start == other.session_start
    )


cdef class Days:
    """Days of the feed whose segment is `mapping`.

    Raises:
        MemoryError: no memory for a copy of the rows.
    """

    def __cinit__(self, Mapping mapping not None) -> None:
        self.mapping = mapping
        self.table = PriceTable(mapping)
        self.values = <Values*>PyMem_Calloc(self.table.capacity + 1, sizeof(Values))
        self.generations = <uint64_t*>PyMem_Calloc(self.table.capacity + 1, sizeof(uint64_t))
        self.changed = <uint8_t*>PyMem_Calloc(self.table.capacity + 1, 1)
        if not (self.values and self.generations and self.changed):
            raise MemoryError("no memory for the days")
        self.over = []

    def __dealloc__(self) -> None:
        PyMem_Free(self.values)
        PyMem_Free(self.generations)
        PyMem_Free(self.changed)

    @property
    def ended(self) -> bool:
        """Whether a day has ended that was not taken yet."""
        return bool(self.over)

    def recall(self, contents: list[Contents]) -> None:
        """Begin with the rows of an earlier worker's snapshots, newest first, in place of a look:
        a day that has ended since is then not lost."""
        cdef Contents source
        cdef uint32_t row
        rows = {names_of(self.table.rows + row): row for row in range(self.table.row_count())}
        for source in contents:
            for offset in source._rows():
                found = rows.pop(source._names(offset)[:2], None)
                if found is not None:
                    row = found
                    source._read(offset, &self.values[row])
                    self.generations[row] = 1
                    self.changed[row] = 1

    def look(self) -> None:
        """Copy the rows that have moved. A day that has ended is kept for `take` as it was at the
        look before."""
        cdef uint32_t row
        cdef uint64_t generation
        cdef Values values
        for row in range(self.table.row_count()):
            generation = load_acquire(&self.table.rows[row].generation)
            if self.generations[row] == generation + 1 or self.table.read(row, &values) < 0:
                continue
            if self.generations[row] and values.session_start != self.values[row].session_start:
                if self.changed[row]:
                    self.over.append(self._figures(row))
                self.changed[row] = 1
            elif not same_day_figures(&values, &self.values[row]):
                self.changed[row] = 1
            self.values[row] = values
            self.generations[row] = generation + 1

    def take(self) -> list[tuple]:
        """The days that have changed since the last call, oldest first, a tuple each: symbol,
        venue, start of the day (ns since the epoch), open, high, low, close, official open,
        official close, previous close (1e-9 units or None), volume (10^-size_exponent units),
        trades, size_exponent, corrections."""
        cdef uint32_t row
        found = self.over
        self.over = []
        for row in range(self.table.row_count()):
            if self.changed[row]:
                self.changed[row] = 0
                if self.values[row].session_start:
                    found.append(self._figures(row))
        return found

    cdef object _figures(self, uint32_t row):
        cdef Values* values = &self.values[row]
        cdef uint64_t has = values.flags
        if has & ROW_HAS_REGULAR:
            close = values.regular_price
        elif has & ROW_HAS_LAST and values.exchange_time >= values.session_start:
            close = values.price
        else:
            close = None
        return (
            self.table.symbol(row),
            self.table.venue(row),
            values.session_start,
            values.open if has & ROW_HAS_OPEN else None,
            values.high if has & ROW_HAS_HIGH_LOW else None,
            values.low if has & ROW_HAS_HIGH_LOW else None,
            close,
            values.official_open if has & ROW_HAS_OFFICIAL_OPEN else None,
            values.official_close if has & ROW_HAS_OFFICIAL_CLOSE else None,
            values.previous_close if has & ROW_HAS_PREVIOUS_CLOSE else None,
            (<object>values.volume_high << 64) | <object>values.volume,
            values.trades,
            self.table.size_exponent(row),
            values.corrections,
        )
