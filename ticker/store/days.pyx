"""The day of each row of a feed: its figures while it lasts, and once more when it is over.

In: the rows of a feed's segment, as the image of its snapshot copies them. Out: (symbol, venue, start
of the day, figures). Owned by the store worker, which looks each second: what changed in the last look
before a midnight is what the day keeps.

Law: no I/O and no clock. One thread looks, another may take.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint32_t, uint64_t

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
from ticker.store.snapshot cimport Contents, Image

import threading

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    AT_ONCE = 1024               # rows that are looked through before other threads may run


cdef tuple names_of(const Row* row):
    """Symbol and venue, as bytes."""
    return (
        row.symbol[:strnlen(row.symbol, SYMBOL_BYTES)],
        row.venue[:strnlen(row.venue, VENUE_BYTES)],
    )


cdef inline bint same_day_figures(const Values* one, const Values* other) noexcept nogil:
    return (
        one.trades == other.trades and one.corrections == other.corrections
        and one.volume == other.volume and one.seq == other.seq
        and one.official_open == other.official_open
        and one.official_close == other.official_close
        and one.previous_close == other.previous_close
        and one.session_start == other.session_start
    )


@cython.no_gc_clear  # the image is told at the end that nobody looks on
cdef class Days:
    """Days of the feed of which `image` is: it looks on there from now on.

    Raises:
        MemoryError: no memory for the state of the rows.
    """

    def __cinit__(self, Image image not None) -> None:
        self.image = image
        self.table = image.table
        self.states = <uint8_t*>PyMem_Calloc(self.table.capacity + 1, 1)
        if self.states == NULL:
            raise MemoryError("no memory for the days")
        self.over = []
        self.lock = threading.Lock()
        image.onlooker = <void*>self
        image.moved = row_moved

    def __dealloc__(self) -> None:
        self.image.moved = NULL
        PyMem_Free(self.states)

    @property
    def ended(self) -> bool:
        """Whether a day has ended that was not taken yet."""
        return bool(self.over)

    def changed(self) -> int:
        """Days that have changed since the last `take`, and last on."""
        cdef uint32_t row
        cdef uint32_t found = 0
        with self.lock:
            for row in range(self.image.rows):
                found += (self.states[row] & DAY_CHANGED) != 0
        return found

    def recall(self, contents: list[Contents]) -> None:
        """Begin with the rows of an earlier worker's snapshots, newest first, before the first look:
        a day that has ended since is then not lost."""
        cdef Contents source
        cdef uint32_t row
        rows = {names_of(self.table.rows + row): row for row in range(self.table.row_count())}
        for source in contents:
            for offset in source._rows():
                found = rows.pop(source._names(offset)[:2], None)
                if found is not None:
                    row = found
                    source._read(offset, self.image.values_at(row))
                    self.states[row] = DAY_KNOWN | DAY_CHANGED

    def look(self) -> int:
        """Let the image copy the rows that have moved; how many. A day that has ended is kept for
        `take` as it was at the look before."""
        with self.lock:
            return self.image.look()

    cdef void _moved(self, uint32_t row, const Values* shown, const Values* values) noexcept nogil:
        cdef uint8_t state = self.states[row]
        self.states[row] |= DAY_KNOWN
        if not state & DAY_KNOWN:
            self.states[row] |= DAY_CHANGED
        elif values.session_start != shown.session_start:
            if state & DAY_CHANGED:
                self._keep_over(row)
            self.states[row] |= DAY_CHANGED
        elif not same_day_figures(values, shown):
            self.states[row] |= DAY_CHANGED

    cdef void _keep_over(self, uint32_t row) noexcept with gil:
        self.over.append(self._figures(row))

    def take(self) -> list[tuple]:
        """The days that have changed since the last call, oldest first, a tuple each: symbol,
        venue, start of the day (ns since the epoch), open, high, low, close, official open,
        official close, previous close (1e-9 units or None), volume (10^-size_exponent units),
        trades, size_exponent, corrections."""
        cdef uint32_t row
        with self.lock:
            found = self.over
            self.over = []
            for row in range(self.image.rows):
                if row % AT_ONCE == 0:
                    with nogil:
                        pass  # the rings do not wait for this thread
                if self.states[row] & DAY_CHANGED:
                    self.states[row] &= ~<uint8_t>DAY_CHANGED
                    if self.image.values_at(row).session_start:
                        found.append(self._figures(row))
        return found

    cdef object _figures(self, uint32_t row):
        cdef const Values* values = self.image.values_at(row)
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


cdef void row_moved(
    void* who, uint32_t row, const Values* shown, const Values* values
) noexcept nogil:
    """The image's call."""
    (<Days>who)._moved(row, shown, values)
