"""The sending side of MoldUDP64: paced downstream packets on two lines, and re-requests."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.simulate.lines.history cimport History
from ticker.simulate.speakers.itch cimport ItchMarket
from ticker.simulate.lines.sender cimport LineSender


cdef extern from "sys/socket.h" nogil:
    cdef struct sockaddr:
        pass
    ssize_t recvfrom(
        int fd, void* buffer, size_t size, int flags, sockaddr* source, unsigned int* length
    )


cdef extern from "netinet/in.h" nogil:
    cdef struct sockaddr_in:
        pass


cdef enum:
    REPLY_PACKETS = 64       # packets that one request is answered with, at most
    REQUESTS = 4             # requests answered before the pacing goes on


cdef class Sender(LineSender):
    cdef ItchMarket market
    cdef readonly History history
    cdef char[10] session
    cdef int64_t midnight
    cdef uint64_t ahead          # messages to have encoded before they are due
    cdef uint64_t requests
    cdef uint64_t unanswered
    cdef uint64_t resent         # messages

    cdef void fill(self) noexcept nogil
    cdef bint answer(
        self, const uint8_t* request, ssize_t size, sockaddr_in* source, unsigned int length
    ) noexcept nogil
