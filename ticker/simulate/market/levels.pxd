"""The base of speakers that say what becomes of a price level, not of an order."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport Book
from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.market.speaker cimport Instrument, Speaker


cdef enum:
    LONGEST = 512            # bytes that must be free at `out`: what one step may say
    REMEMBERED = 1024        # trades that a break may still name


cdef struct Sale:
    uint64_t match
    uint32_t shares
    uint32_t price


cdef class LevelSpeaker(Speaker):
    cdef Book book
    cdef int64_t midnight    # ns since the epoch
    cdef Sale[REMEMBERED] sales

    # What a protocol says of it. `change` is a BookChange; a change that is not complete is
    # followed by another one of the same event.
    cdef void changed(
        self, const Instrument* on, int side, int64_t price, int change, bint complete
    ) noexcept nogil
    cdef void sold(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil
    cdef void broke(self, const Instrument* on, const Sale* sale) noexcept nogil

    cdef uint64_t size_at(self, const Instrument* on, int side, int64_t price) noexcept nogil
    cdef void remember(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, bint crossed
    ) noexcept nogil


cdef class LevelMarket(FramedMarket):
    cdef LevelSpeaker speaker
