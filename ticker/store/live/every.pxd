"""The bars of all spans together: a trade into them, out of them, and what is published of them."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.bars.published cimport SPANS, BarsWriter
from ticker.store.live.bar cimport LiveBar, LiveTrade
from ticker.store.live.clocks cimport Clock
from ticker.store.live.figures cimport Sale
from ticker.store.live.spans cimport SpanBars
from ticker.store.live.symbols cimport Symbol, Symbols
from ticker.store.live.trades cimport Trades


@cython.final
cdef class EverySpan:
    cdef BarsWriter writer
    cdef Symbols symbols
    cdef Trades trades
    cdef list spans
    cdef void* every[SPANS]      # the same
    cdef uint32_t feed_count
    cdef Clock* clocks           # by feed
    cdef int64_t* ended          # by feed: bars that end until then are over
    cdef uint32_t* current       # of each symbol its newest bar in each span, place + 1
    cdef int64_t steady          # the steady clock

    cdef void fetch(self, uint32_t symbol) noexcept nogil
    cdef void fetch_new(self, uint32_t symbol, uint32_t before) noexcept nogil
    cdef int64_t start(self, int span, const LiveTrade* trade) noexcept nogil
    cdef int64_t ended_of(self, uint32_t feed) noexcept nogil
    cdef int count(
        self, uint64_t number, Symbol* symbol, int64_t newest, bint late
    ) except -1
    cdef int change(self, const LiveTrade* trade, const Sale* before, const Sale* after) except -1
    cdef int rescale(self, uint32_t symbol, uint64_t exponent) except -1
    cdef void of_feed(self, uint32_t feed) noexcept nogil
    cdef void lacks(self, uint32_t feed) noexcept nogil
    cdef void close(self, int64_t steady_ns) noexcept nogil
    cdef int publish(self, int64_t now_ns, bint only_forming, bint quiet) except -1
    cdef LiveBar* _begin(
        self, int span, const LiveTrade* trade, uint64_t number, bint late
    ) except NULL
    cdef int _make_again(self, int span, LiveBar* bar) except -1
