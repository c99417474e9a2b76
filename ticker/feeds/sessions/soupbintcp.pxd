"""SoupBinTCP: see soupbintcp.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.session cimport Session

cdef enum:
    LONGEST = 2 + 65535            # bytes of a packet with its length


cdef class SoupBinTcp(Session):
    cdef object options
    cdef uint8_t[LONGEST] cut      # the start of a packet whose rest is in the next chunk
    cdef size_t cut_length
    cdef uint64_t arriving         # sequence of the next sequenced packet on this connection
    cdef uint64_t target           # what a predecessor had reached in `target_session`, 0: none
    cdef bytes target_session
    cdef bytes wanted_session      # to log in to, empty: the current one
    cdef uint64_t wanted_sequence
    cdef list out
    cdef list events
    cdef int phase_number
    cdef int64_t heard_ns          # when the server last sent anything
    cdef int64_t said_ns           # when something was last sent to it
    cdef int64_t heartbeat_ns
    cdef int64_t silence_ns
    cdef readonly bint should_close

    cdef const uint8_t* _complete(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil
    cdef const uint8_t* _walk(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil
    cdef void _packet(
        self, uint8_t kind, const uint8_t* payload, size_t length, int64_t receive_time
    ) noexcept nogil
    cdef void _message(
        self, const uint8_t* payload, size_t length, int64_t receive_time
    ) noexcept nogil
    cdef void _dialogue(
        self, uint8_t kind, const uint8_t* payload, size_t length
    ) noexcept with gil
    cdef void _garbled(self) noexcept nogil
