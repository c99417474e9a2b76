"""When connections that somebody asks about were sent a symbol's price: see noted.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.gateway.sockets.connection cimport ConnectionTable

cdef enum:
    MOST_NOTED = 16
    NOTES = 32                   # of each

cdef struct Note:
    uint64_t seq                 # of the price, as the client was told it
    int64_t flushed              # ns since the epoch
    int64_t sent                 # 0: the socket has not taken all of it

cdef struct NotedConnection:
    uint32_t number
    uint32_t generation
    uint32_t topic
    uint32_t seen                # version of the topic that it was sent last
    uint64_t count               # of notes so far
    int64_t since
    Note[NOTES] notes


@cython.final
cdef class Noted:
    cdef ConnectionTable connections
    cdef public uint32_t worker  # number of this gateway
    cdef uint32_t count          # 0 nearly always: then a flush costs a look at this word
    cdef uint32_t oldest
    cdef NotedConnection[MOST_NOTED] all

    cdef uint32_t topic(self, uint32_t place) noexcept nogil
    cdef void flushed(self, uint32_t place, uint32_t number, uint64_t seq) noexcept nogil
    cdef void sent(self, uint32_t number) noexcept nogil
    cdef uint32_t _seen(self, const NotedConnection* noted) noexcept nogil
