"""Says a simulated market in IEX's TOPS 1.6 or DEEP 1.0."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.book cimport Book
from ticker.feeds.simulate.capture cimport PcapWriter
from ticker.feeds.simulate.day cimport Day
from ticker.feeds.simulate.speaker cimport Instrument, Speaker


cdef enum:
    LONGEST = 512            # bytes that must be free at `out`: what one step may say
    REMEMBERED = 1024        # trades that a break may still name


cdef struct Sale:
    uint64_t match
    uint32_t shares
    uint32_t price


cdef class IexSpeaker(Speaker):
    cdef Book book
    cdef bint depth          # DEEP, not TOPS
    cdef int64_t midnight    # ns since the epoch
    cdef uint64_t messages   # so far
    cdef Sale[REMEMBERED] sales

    cdef uint8_t* begin(
        self, char kind, uint8_t flags, uint32_t length, const Instrument* on
    ) noexcept nogil
    cdef void sale(
        self, char kind, uint8_t flags, const Instrument* on, uint64_t shares, uint32_t price,
        uint64_t match,
    ) noexcept nogil
    cdef uint8_t sale_flags(self, uint64_t shares) noexcept nogil
    cdef void changed(
        self, const Instrument* on, int side, int64_t price, int change, bint complete
    ) noexcept nogil
    cdef void quote(self, const Instrument* on) noexcept nogil


cdef class IexMarket:
    cdef Day market
    cdef IexSpeaker speaker

    cdef size_t write(
        self, uint8_t* out, size_t room, uint64_t limit, uint64_t* messages
    ) noexcept nogil


cdef class IexTpWriter(PcapWriter):
    cdef uint32_t session_id
    cdef uint32_t protocol
    cdef uint64_t offset     # of the stream, of the next segment
