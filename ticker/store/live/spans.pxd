"""The bars of one length in memory: found by symbol and start, swept when nothing needs them."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.places cimport Places
from ticker.store.live.bar cimport LiveBar
from ticker.store.live.clocks cimport Clock
from ticker.store.live.symbols cimport Symbol


@cython.final
cdef class SpanBars:
    cdef int64_t length          # ns
    cdef LiveBar* bars
    cdef uint32_t room
    cdef uint32_t* vacant
    cdef uint32_t vacant_count
    cdef uint32_t* dirty         # places of bars that have changed
    cdef uint32_t dirty_count
    cdef uint32_t* forming       # places of bars whose time is not over
    cdef uint32_t forming_count
    cdef uint32_t* current       # of each symbol its newest bar, place + 1; `stride` apart
    cdef uint32_t stride
    cdef int64_t* soonest        # by feed: no forming bar began before; they end in this order
    cdef uint32_t feeds
    cdef uint64_t kept           # trades that are
    cdef Places places

    cdef LiveBar* find(self, uint32_t symbol, int64_t start) noexcept nogil
    cdef LiveBar* newest_of(self, uint32_t symbol) noexcept nogil
    cdef void fetch(self, uint32_t symbol, int64_t start, uint32_t before) noexcept nogil
    cdef LiveBar* begin(
        self, uint32_t symbol, int64_t start, uint64_t number, uint64_t seen
    ) except NULL
    cdef void form(self, const LiveBar* bar, uint32_t feed) noexcept nogil
    cdef void close(
        self, const int64_t* ended, const Clock* clocks, const Symbol* symbols
    ) noexcept nogil
    cdef void mark(self, LiveBar* bar) noexcept nogil
    cdef int _grow(self) except -1
    cdef void _sweep(self, uint64_t seen) noexcept


cdef void fetch_bar(const LiveBar* bar) noexcept nogil
cdef void* grown(void* array, size_t size) except NULL
