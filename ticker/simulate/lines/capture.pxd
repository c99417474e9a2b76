"""Packets of a simulated day in a pcap: see capture.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.simulate.market.chance cimport Chance

cdef enum:
    ENVELOPE = 14 + 20 + 8   # Ethernet, IPv4, UDP
    LINES = 2


cdef class PcapWriter:
    cdef uint8_t[LINES][ENVELOPE] envelopes
    cdef int lines
    cdef bytes session
    cdef const char* session_text
    cdef uint64_t sequence               # of the next packet's first message
    cdef uint64_t midnight
    cdef uint64_t threshold
    cdef Chance chance
    cdef readonly uint64_t packets
    cdef size_t head_length              # bytes of a packet before its message blocks

    # What another session's packets have otherwise.
    cdef size_t measure(self, const uint8_t* blocks, size_t size, uint32_t* count) noexcept nogil
    cdef uint64_t time_of(self, const uint8_t* blocks) noexcept nogil
    cdef void write_head(
        self, uint8_t* to, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil
    cdef void passed(self, size_t length, uint32_t count) noexcept nogil

    cdef uint8_t* record(
        self, uint8_t* to, int line, const uint8_t* blocks, size_t length, uint32_t count
    ) noexcept nogil
