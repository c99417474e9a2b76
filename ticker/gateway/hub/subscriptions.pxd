"""Who has subscribed to what: each connection's list, and each topic's."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.gateway.books.views cimport Views
from ticker.gateway.sockets.connection cimport Connection, ConnectionTable
from ticker.gateway.hub.shared_frames cimport SharedFrames
from ticker.gateway.hub.topics cimport Topics
from ticker.shm.header cimport Mapping
from ticker.shm.shards.watchers cimport WatcherCounts, Watchers


@cython.final
cdef class Subscriptions:
    cdef Topics topics
    cdef Views views
    cdef SharedFrames frames
    cdef ConnectionTable connections
    cdef uint64_t* counters
    cdef uint64_t total          # of all connections
    cdef uint64_t bars           # of them to bars
    cdef Mapping segment         # keeps `words` alive
    cdef Watchers* words         # where the store worker sees that bars are watched
    cdef WatcherCounts by_shard  # by shard of the bus; None: nobody asks for them

    cdef int64_t find(self, Connection* connection, uint32_t topic) noexcept nogil
    cdef int attach(self, Connection* connection, uint32_t number, uint32_t topic) except -1
    cdef void detach(self, Connection* connection, uint32_t slot) noexcept nogil
    cdef int _add_subscribers(self, uint32_t number, set found) except -1
