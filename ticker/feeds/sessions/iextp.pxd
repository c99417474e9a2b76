"""IEX-TP: see iextp.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.feeds.sequence.sequenced cimport Sequenced


cdef class IexTp(Sequenced):
    cdef uint16_t message_protocol      # the only one that is taken, 0: any
    cdef int64_t newest_send_time       # of a packet of this stream, 0: none

    cdef bint _begins_again(
        self, const uint64_t* words, uint64_t sequence, int64_t send_time, int line
    ) noexcept nogil
