"""The bars of one length in memory: found by symbol and start, swept when nothing needs them.

Law: a bar stays while its time is not over, or a trade of it can still be taken back. So there are
never more of them than trades that are kept, and one for each symbol.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.places cimport key_of, make_places, put_place, remove_place
from ticker.store.live.bar cimport LIVE_CLOSED, LIVE_DIRTY, LIVE_USED, LiveBar

cdef enum:
    FIRST_BARS = 1024


cdef class SpanBars:
    """Bars of `length` ns of up to `symbols` symbols; `kept` trades can be taken back."""

    def __cinit__(self, int64_t length, uint32_t symbols, uint64_t kept) -> None:
        self.length = length
        self.kept = kept
        self.current = <uint32_t*>PyMem_Calloc(symbols + 1, sizeof(uint32_t))
        if self.current == NULL:
            raise MemoryError("no memory for the bars in motion")
        make_places(&self.places, FIRST_BARS)
        self._grow()

    def __dealloc__(self) -> None:
        PyMem_Free(self.bars)
        PyMem_Free(self.vacant)
        PyMem_Free(self.dirty)
        PyMem_Free(self.forming)
        PyMem_Free(self.current)
        PyMem_Free(self.places.at)

    cdef LiveBar* find(self, uint32_t symbol, int64_t start) noexcept nogil:
        """The bar that begins then; NULL: there is none."""
        cdef uint32_t index = self.current[symbol]
        cdef uint64_t at
        cdef LiveBar* bar
        if index and self.bars[index - 1].start == start:
            return self.bars + index - 1
        at = key_of(symbol, <uint64_t>start) & self.places.mask
        while self.places.at[at].index:
            bar = self.bars + self.places.at[at].index - 1
            if bar.start == start and bar.symbol == symbol:
                return bar
            at = (at + 1) & self.places.mask
        return NULL

    cdef LiveBar* begin(self, uint32_t symbol, int64_t start, uint64_t number) except NULL:
        """A new bar, with the trade of this number as its first."""
        cdef uint32_t place
        cdef LiveBar* bar
        if not self.vacant_count:
            self._sweep(number)
            if self.vacant_count <= self.room >> 2:
                self._grow()
        self.vacant_count -= 1
        place = self.vacant[self.vacant_count]
        bar = self.bars + place
        memset(bar, 0, sizeof(LiveBar))
        bar.start = start
        bar.symbol = symbol
        bar.first_number = bar.last_number = number
        bar.flags = LIVE_USED
        put_place(&self.places, key_of(symbol, <uint64_t>bar.start), place + 1)
        if not self.current[symbol] or bar.start > self.bars[self.current[symbol] - 1].start:
            self.current[symbol] = place + 1
        return bar

    cdef void form(self, const LiveBar* bar) noexcept nogil:
        """Its time is not over."""
        self.forming[self.forming_count] = <uint32_t>(bar - self.bars)
        self.forming_count += 1

    cdef void mark(self, LiveBar* bar) noexcept nogil:
        """It has changed."""
        if not bar.flags & LIVE_DIRTY:
            bar.flags |= LIVE_DIRTY
            self.dirty[self.dirty_count] = <uint32_t>(bar - self.bars)
            self.dirty_count += 1

    cdef int _grow(self) except -1:
        cdef uint32_t room = 2 * self.room if self.room else FIRST_BARS
        cdef uint32_t place
        self.bars = <LiveBar*>grown(self.bars, room * sizeof(LiveBar))
        self.vacant = <uint32_t*>grown(self.vacant, room * sizeof(uint32_t))
        self.dirty = <uint32_t*>grown(self.dirty, room * sizeof(uint32_t))
        self.forming = <uint32_t*>grown(self.forming, room * sizeof(uint32_t))
        memset(self.bars + self.room, 0, (room - self.room) * sizeof(LiveBar))
        for place in range(room, self.room, -1):
            self.vacant[self.vacant_count] = place - 1
            self.vacant_count += 1
        self.room = room
        return 0

    cdef void _sweep(self, uint64_t seen) noexcept:
        """Free the bars whose time is over and of which no trade is kept; `seen`: trades so far."""
        cdef uint32_t place
        cdef LiveBar* bar
        for place in range(self.room):
            bar = self.bars + place
            if (
                bar.flags & (LIVE_USED | LIVE_DIRTY | LIVE_CLOSED) != LIVE_USED | LIVE_CLOSED
                or seen - bar.last_number < self.kept
            ):
                continue
            if self.current[bar.symbol] == place + 1:
                self.current[bar.symbol] = 0
            remove_place(&self.places, key_of(bar.symbol, <uint64_t>bar.start), place + 1)
            bar.flags = 0
            self.vacant[self.vacant_count] = place
            self.vacant_count += 1


cdef void* grown(void* array, size_t size) except NULL:
    """An array with room for so many bytes, in place of `array`."""
    cdef void* found = PyMem_Realloc(array, size)
    if found == NULL:
        raise MemoryError("no memory for the bars")
    return found
