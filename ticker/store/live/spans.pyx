"""The bars of one length in memory: found by symbol and start, swept when nothing needs them.

Law: a bar stays while its time is not over, or a trade of it can still be taken back, or it is the
newest of its symbol. So there are never more of them than trades that are kept, and one for each
symbol.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.shm.layout cimport CACHE_LINE
from ticker.pages cimport give_pages, prefetch, take_pages
from ticker.places cimport key_of, make_places, put_place, remove_place
from ticker.store.live.bar cimport LIVE_CLOSED, LIVE_DIRTY, LIVE_USED, LiveBar
from ticker.store.live.clocks cimport Clock, end_of
from ticker.store.live.symbols cimport Symbol

cdef enum:
    FIRST_BARS = 1024
    AHEAD = 8                    # bars that are fetched before their turn

cdef int64_t NEVER = 1 << 62


cdef class SpanBars:
    """Bars of `length` ns; `kept` trades can be taken back."""

    def __cinit__(self, int64_t length, uint32_t feeds, uint64_t kept) -> None:
        cdef uint32_t feed
        self.length = length
        self.kept = kept
        self.feeds = feeds
        self.soonest = <int64_t*>PyMem_Calloc(feeds + 1, sizeof(int64_t))
        if self.soonest == NULL:
            raise MemoryError("no memory for the bars in motion")
        for feed in range(feeds):
            self.soonest[feed] = NEVER
        make_places(&self.places, FIRST_BARS)
        self._grow()

    def __dealloc__(self) -> None:
        give_pages(self.bars, self.room * sizeof(LiveBar))
        PyMem_Free(self.vacant)
        PyMem_Free(self.dirty)
        PyMem_Free(self.forming)
        PyMem_Free(self.soonest)
        PyMem_Free(self.places.at)

    cdef LiveBar* find(self, uint32_t symbol, int64_t start) noexcept nogil:
        """The bar that begins then; NULL: there is none."""
        cdef LiveBar* bar = self.newest_of(symbol)
        cdef uint64_t at
        if bar != NULL and start >= bar.start:
            return bar if start == bar.start else NULL
        at = key_of(symbol, <uint64_t>start) & self.places.mask
        while self.places.at[at].index:
            bar = self.bars + self.places.at[at].index - 1
            if bar.start == start and bar.symbol == symbol:
                return bar
            at = (at + 1) & self.places.mask
        return NULL

    cdef LiveBar* newest_of(self, uint32_t symbol) noexcept nogil:
        """The bar of a symbol that began last; NULL: it is not known."""
        cdef uint32_t place = self.current[<size_t>symbol * self.stride]
        return self.bars + place - 1 if place else NULL

    cdef void fetch(self, uint32_t symbol, int64_t start, uint32_t before) noexcept nogil:
        """Into the cache, all that a new bar touches, if one is to begin; `before` others do."""
        cdef const LiveBar* newest = self.newest_of(symbol)
        if newest != NULL and newest.start >= start:
            return
        prefetch(self.places.at + (key_of(symbol, <uint64_t>start) & self.places.mask))
        if before < self.vacant_count:
            fetch_bar(self.bars + self.vacant[self.vacant_count - 1 - before])

    cdef LiveBar* begin(
        self, uint32_t symbol, int64_t start, uint64_t number, uint64_t seen
    ) except NULL:
        """A new bar, with the trade of this number as its first; `seen`: trades so far."""
        cdef uint32_t place
        cdef LiveBar* bar
        cdef LiveBar* newest
        if not self.vacant_count:
            self._sweep(seen)
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
        newest = self.newest_of(symbol)
        if newest == NULL or bar.start > newest.start:
            self.current[<size_t>symbol * self.stride] = place + 1
        return bar

    cdef void close(
        self, const int64_t* ended, const Clock* clocks, const Symbol* symbols
    ) noexcept nogil:
        """End the forming bars whose end, by the days of their feed in `clocks`, is not after that in
        `ended`."""
        cdef uint32_t i, feed
        cdef uint32_t left = 0
        cdef bint due = False
        cdef LiveBar* bar
        for feed in range(self.feeds):
            if end_of(clocks + feed, self.length, self.soonest[feed]) <= ended[feed]:
                due = True
        if not due:
            return
        for feed in range(self.feeds):
            self.soonest[feed] = NEVER
        for i in range(self.forming_count):
            if i + AHEAD < self.forming_count:
                prefetch(self.bars + self.forming[i + AHEAD])
            bar = self.bars + self.forming[i]
            feed = symbols[bar.symbol].feed
            if end_of(clocks + feed, self.length, bar.start) <= ended[feed]:
                bar.flags |= LIVE_CLOSED
                self.mark(bar)
            else:
                self.forming[left] = self.forming[i]
                left += 1
                self.soonest[feed] = min(self.soonest[feed], bar.start)
        self.forming_count = left

    cdef void form(self, const LiveBar* bar, uint32_t feed) noexcept nogil:
        """Its time is not over."""
        self.soonest[feed] = min(self.soonest[feed], bar.start)
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
        cdef LiveBar* bars = <LiveBar*>take_pages(room * sizeof(LiveBar))
        if bars == NULL:
            raise MemoryError("no memory for the bars in motion")
        if self.room:
            memcpy(bars, self.bars, self.room * sizeof(LiveBar))
        give_pages(self.bars, self.room * sizeof(LiveBar))
        self.bars = bars
        self.vacant = <uint32_t*>grown(self.vacant, room * sizeof(uint32_t))
        self.dirty = <uint32_t*>grown(self.dirty, room * sizeof(uint32_t))
        self.forming = <uint32_t*>grown(self.forming, room * sizeof(uint32_t))
        for place in range(room, self.room, -1):
            self.vacant[self.vacant_count] = place - 1
            self.vacant_count += 1
        self.room = room
        return 0

    cdef void _sweep(self, uint64_t seen) noexcept:
        """Free the bars whose time is over and of which no trade is kept, but for each symbol's
        newest; `seen`: trades so far."""
        cdef uint32_t place
        cdef LiveBar* bar
        for place in range(self.room):
            bar = self.bars + place
            if (
                bar.flags & (LIVE_USED | LIVE_DIRTY | LIVE_CLOSED) != LIVE_USED | LIVE_CLOSED
                or seen - bar.last_number < self.kept or self.newest_of(bar.symbol) == bar
            ):
                continue
            remove_place(&self.places, key_of(bar.symbol, <uint64_t>bar.start), place + 1)
            bar.flags = 0
            self.vacant[self.vacant_count] = place
            self.vacant_count += 1


cdef void fetch_bar(const LiveBar* bar) noexcept nogil:
    """Into the cache; NULL: none."""
    if bar != NULL:
        prefetch(bar)
        prefetch(<const char*>bar + CACHE_LINE)
        prefetch(<const char*>bar + 2 * CACHE_LINE)


cdef void* grown(void* array, size_t size) except NULL:
    """An array with room for so many bytes, in place of `array`."""
    cdef void* found = PyMem_Realloc(array, size)
    if found == NULL:
        raise MemoryError("no memory for the bars")
    return found
