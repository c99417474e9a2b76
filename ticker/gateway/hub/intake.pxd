"""The rings of all feeds, read to their ends once a turn."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from ticker.gateway.bars.book cimport BarBook
from ticker.gateway.books.views cimport Views
from ticker.gateway.hub.sales cimport Sales
from ticker.gateway.hub.topics cimport Topics
from ticker.gateway.prices.board cimport Board
from ticker.shm.bars.published cimport BarRecord
from ticker.shm.layout cimport Record
from ticker.shm.ring cimport RingReader


@cython.final
cdef class Intake:
    cdef Board board
    cdef Topics topics
    cdef Sales sales
    cdef BarBook bars
    cdef readonly Views views
    cdef list readers            # [(feed, RingReader)]
    cdef uint64_t* counters

    cdef int drain(self) except -1
    cdef int _refresh_views(self) except -1
    cdef bint records_wait(self) except -1
    cdef int watch_bars(self, uint32_t symbol, uint32_t span) except -1
    cdef int _drain_bars(self) except -1
    cdef int _resync_bars(self, bint lost) except -1
    cdef bint _watches(self, uint32_t symbol, uint32_t span) noexcept nogil
    cdef void _put_bar(self, uint32_t symbol, const BarRecord* record) noexcept nogil
    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1
    cdef void _look_ahead(self, uint32_t feed, uint32_t row) noexcept nogil
    cdef int _take_record(self, uint32_t feed, const Record* record) except -1
    cdef int _learn(self, uint32_t feed, uint32_t row) except -1
    cdef int _resync(self, uint32_t feed) except -1
