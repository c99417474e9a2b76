"""One flush: what a client is due, as the bytes of one send."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.books.views cimport Views
from ticker.gateway.hub.agenda cimport Agenda
from ticker.gateway.hub.parcel cimport Parcel
from ticker.gateway.hub.sales cimport Sale, Sales
from ticker.gateway.hub.shared_frames cimport SharedFrames
from ticker.gateway.hub.topics cimport Topics
from ticker.gateway.sockets.connection cimport Connection, ConnectionTable, Subscription
from ticker.gateway.sockets.deflated cimport Deflater
from ticker.gateway.sockets.noted cimport Noted
from ticker.gateway.sockets.sender cimport Sender


@cython.final
cdef class Flush:
    cdef Topics topics
    cdef Sales sales
    cdef Views views
    cdef SharedFrames frames
    cdef ConnectionTable connections
    cdef Sender sender
    cdef Agenda agenda
    cdef Parcel parcel
    cdef Deflater deflater
    cdef Noted noted
    cdef uint64_t* counters
    cdef uint32_t* due_slots     # scratch: the subscriptions that are due
    cdef uint32_t due_capacity

    cdef int reserve(self, uint32_t subscriptions) except -1
    cdef int flush(self, uint32_t number, int64_t now) noexcept nogil
    cdef void finish(self) noexcept nogil
    cdef int send(self, uint32_t number, int due, int64_t now) noexcept nogil
    cdef void _deflate(self, const Connection* connection) noexcept nogil
    cdef void _gather(self, uint32_t number) noexcept nogil
    cdef void _note(self, uint32_t number) noexcept nogil
    cdef void _sent(self, uint32_t number) noexcept nogil
    cdef int _fill(
        self, Connection* connection, uint32_t number, int due, bint fresh, int64_t now
    ) noexcept nogil
    cdef int _due(self, Connection* connection) noexcept nogil
    cdef int _put_prices(
        self, Connection* connection, int due, bint fresh, int64_t now
    ) noexcept nogil
    cdef void _put_vendor(self, Subscription* due, int64_t now) noexcept nogil
    cdef bint _put_movers(self, const Subscription* due) noexcept nogil
    cdef bint _put_depth(self, const Subscription* due) noexcept nogil
    cdef int _put_trades(self, Subscription* due, bint fresh, int64_t now) noexcept nogil
    cdef int _put_bars(self, Subscription* due, bint fresh, uint8_t states) noexcept nogil
    cdef void _put_lagged(self, Sale* sale, uint32_t skipped) noexcept nogil
