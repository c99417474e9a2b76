"""A simulated day's PITCH as sequenced units in a pcap: see unit_capture.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.simulate.lines.capture cimport PcapWriter
from ticker.simulate.speakers.pitch cimport MOST_UNITS

cdef enum:
    PAYLOAD = 1400           # bytes of messages per datagram, at most
    FEWEST_BYTES = 6         # of a message


cdef struct Pending:
    uint8_t[PAYLOAD] data
    size_t size
    uint32_t count
    uint32_t sequence        # of its first message
    uint64_t second          # ns since the epoch of the unit's last Time message
    uint64_t since           # ns since the epoch, of its first message


cdef class UnitWriter(PcapWriter):
    cdef Pending[MOST_UNITS + 1] units
    cdef uint32_t flushed    # unit that is being written
    cdef uint64_t now        # ns since the epoch
    cdef uint64_t due        # when the oldest pending packet is written, full or not

    cdef uint64_t told(self, Pending* pending, const uint8_t* message) noexcept nogil
    cdef uint8_t* write_unit(self, uint8_t* to, uint32_t unit) noexcept nogil
    cdef uint8_t* write_old(self, uint8_t* to, uint64_t age) noexcept nogil
