"""Every frame that several clients get, encoded once."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.bars.book cimport BarBook
from ticker.gateway.hub.encode cimport Frame
from ticker.gateway.hub.fields cimport CHANNELS, Fields, Message
from ticker.gateway.hub.sales cimport Sales
from ticker.gateway.hub.topics cimport CHANNEL_BITS, CHANNEL_MASK, Topics
from ticker.gateway.hub.trade_log cimport Trade
from ticker.gateway.movers.frames cimport MoverFrames
from ticker.gateway.sockets.connection cimport ALL_ENCODINGS


# Frames of one channel, one encoding and one kind, by symbol.
cdef struct Page:
    uint8_t* frames              # on cache lines; NULL until a client needs one
    void* memory
    uint32_t* shown              # of each symbol: the version that its frame shows
    size_t room                  # bytes of a frame


# The quote that a symbol had last, and the version of its topic that came with another one: the
# topic also moves with trades, of which a vendor's quote tells nothing.
cdef struct QuoteMemory:
    uint64_t has
    int64_t bid
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size
    uint32_t changed


@cython.final
cdef class SharedFrames:
    cdef Topics topics
    cdef Sales sales
    cdef BarBook bars
    cdef MoverFrames movers
    cdef uint64_t* counters
    cdef uint64_t* histograms
    cdef Page[2][ALL_ENCODINGS][CHANNELS] pages  # [snapshot]
    cdef uint8_t* trades[ALL_ENCODINGS]      # frames of the log's entries, by their place
    cdef uint64_t* trades_shown[ALL_ENCODINGS]
    cdef QuoteMemory* quoted     # by symbol; NULL until a vendor's dialect needs it
    cdef uint32_t symbol_capacity

    cdef int open(self, uint32_t encoding, uint32_t channel) except -1
    cdef int grow(self) except -1
    cdef int _open_page(self, Page* page, size_t room) except -1
    cdef void _close_page(self, Page* page) noexcept
    cdef const Frame* update(self, uint32_t topic, uint32_t encoding, int64_t now) noexcept nogil
    cdef const Frame* snapshot(self, uint32_t topic, uint32_t encoding) noexcept nogil
    cdef bint quote_news(self, uint32_t symbol, uint32_t seen) noexcept nogil
    cdef int _open_quoted(self) except -1
    cdef const Frame* trade(
        self, const Trade* trade, uint32_t encoding, int64_t now
    ) noexcept nogil
    cdef void _old_print(self, const Trade* trade, Fields* fields) noexcept nogil
    cdef void trade_frame(
        self, Frame* frame, const Trade* trade, uint32_t encoding, Message message
    ) noexcept nogil
    cdef void _encode(
        self, Page* page, uint32_t topic, uint32_t encoding, bint snapshot
    ) noexcept nogil


cdef inline void* place_of(SharedFrames frames, uint32_t topic, uint32_t encoding) noexcept nogil:
    """Where a topic's update is kept, to be fetched ahead; NULL: nowhere by itself."""
    cdef Page* page
    if topic & CHANNEL_MASK >= CHANNELS:
        return NULL
    page = &frames.pages[0][encoding][topic & CHANNEL_MASK]
    return page.frames + (topic >> CHANNEL_BITS) * page.room
