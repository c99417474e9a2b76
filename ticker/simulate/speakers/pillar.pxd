"""Says a simulated market in NYSE Pillar (XDP Integrated), on several channels."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.market.book cimport Book
from ticker.simulate.lines.capture cimport PcapWriter
from ticker.simulate.market.framed cimport FramedMarket
from ticker.simulate.market.speaker cimport Instrument, Speaker


cdef enum:
    LONGEST = 512            # bytes that must be free at `out`: what one step may say
    REMEMBERED = 1024        # crosses that a break may still name
    PREFIX = 9               # bytes before a message: its channel, its time since the epoch
    CHANNELS = 64


cdef class PillarSpeaker(Speaker):
    cdef Book book
    cdef uint32_t channels
    cdef int64_t midnight                  # ns since the epoch
    cdef int64_t[CHANNELS] seconds         # last said on the channel, 0: none
    cdef uint64_t[REMEMBERED] crosses

    cdef uint8_t* begin(
        self, uint32_t kind, uint32_t length, const Instrument* on
    ) noexcept nogil
    cdef uint8_t* begin_at(
        self, uint32_t kind, uint32_t length, const Instrument* on
    ) noexcept nogil
    cdef uint32_t price(self, const Instrument* on, uint32_t price) noexcept nogil
    cdef void security_status(
        self, const Instrument* on, char status, char halt, char session
    ) noexcept nogil
    cdef char session(self) noexcept nogil


cdef class PillarMarket(FramedMarket):
    cdef PillarSpeaker speaker
    cdef uint32_t closed                   # instruments whose close was said


cdef class XdpChannelWriter(PcapWriter):
    cdef uint8_t flag                      # of the next packets
    cdef uint64_t time                     # ns since the epoch, of the next packets


cdef class XdpWriter(PcapWriter):
    cdef list channels
