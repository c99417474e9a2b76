"""One flush: what a client is due, as the bytes of one send."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ticker.gateway.hub.agenda cimport Agenda
from ticker.gateway.sockets.connection cimport Connection, Subscription
from ticker.gateway.hub.encode cimport MOST_ROOM, Frame
from ticker.gateway.hub.topics cimport Sale

cdef enum:
    SPARE = 2 * MOST_ROOM        # a flush ends when less room is left


cdef class Flush(Agenda):
    cdef uint32_t* due_slots     # scratch: the subscriptions that are due
    cdef uint32_t due_capacity
    cdef uint8_t* out            # scratch: the bytes
    cdef size_t out_capacity
    cdef size_t at               # end of what `out` holds
    cdef size_t begin            # where it begins
    cdef uint32_t items          # messages that it holds
    cdef bint batch
    cdef uint32_t encoding

    cdef int reserve(self, uint32_t subscriptions) except -1
    cdef int _flush(self, uint32_t number) noexcept nogil
    cdef int _due(self, Connection* connection) noexcept nogil
    cdef int _send(self, uint32_t number, int due, bint fresh) noexcept nogil
    cdef int _put_prices(self, Connection* connection, int due, bint fresh) noexcept nogil
    cdef int _put_trades(self, Subscription* due, bint fresh) noexcept nogil
    cdef void _put_lagged(self, Sale* sale, uint32_t skipped) noexcept nogil
    cdef bint _full(self) noexcept nogil
    cdef void _put(self, const Frame* frame) noexcept nogil
    cdef size_t _end_batch(self) noexcept nogil
