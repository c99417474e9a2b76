"""Every frame that several clients get, encoded once."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.hub.encode cimport Frame
from ticker.gateway.hub.fields cimport CHANNELS, Message
from ticker.gateway.hub.sales cimport Sales
from ticker.gateway.hub.topics cimport CHANNEL_BITS, CHANNEL_MASK, Topics
from ticker.gateway.hub.trade_log cimport Trade
from ticker.gateway.sockets.connection cimport ENCODINGS


# Frames of one channel, one encoding and one kind, by symbol.
cdef struct Page:
    uint8_t* frames              # on cache lines; NULL until a client needs one
    void* memory
    uint32_t* shown              # of each symbol: the version that its frame shows
    size_t room                  # bytes of a frame


@cython.final
cdef class SharedFrames:
    cdef Topics topics
    cdef Sales sales
    cdef uint64_t* counters
    cdef uint64_t* histograms
    cdef Page[2][ENCODINGS][CHANNELS] pages  # [snapshot]
    cdef uint8_t* trades[ENCODINGS]          # frames of the log's entries, by their place
    cdef uint64_t* trades_shown[ENCODINGS]
    cdef uint32_t symbol_capacity

    cdef int open(self, uint32_t encoding, uint32_t channel) except -1
    cdef int grow(self) except -1
    cdef int _open_page(self, Page* page, size_t room) except -1
    cdef void _close_page(self, Page* page) noexcept
    cdef const Frame* update(self, uint32_t topic, uint32_t encoding, int64_t now) noexcept nogil
    cdef const Frame* snapshot(self, uint32_t topic, uint32_t encoding) noexcept nogil
    cdef const Frame* trade(
        self, const Trade* trade, uint32_t encoding, int64_t now
    ) noexcept nogil
    cdef void trade_frame(
        self, Frame* frame, const Trade* trade, uint32_t encoding, Message message
    ) noexcept nogil
    cdef void _encode(
        self, Page* page, uint32_t topic, uint32_t encoding, bint snapshot
    ) noexcept nogil


cdef inline void* place_of(SharedFrames frames, uint32_t topic, uint32_t encoding) noexcept nogil:
    """Where a topic's update is kept, to be fetched ahead."""
    cdef Page* page = &frames.pages[0][encoding][topic & CHANNEL_MASK]
    return page.frames + (topic >> CHANNEL_BITS) * page.room
