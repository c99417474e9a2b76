"""The hub: symbol -> subscribers, what changed, and one send for each who is told.

    ring records --> topics (latest price, version) --> pending connections --> one send each

Subscriptions (who) <- Agenda (when) <- Flush (what) <- Hub: each extends the one before.
"""

from libc.stdint cimport int64_t, uint32_t

from ticker.gateway.sockets.connection cimport Connection
from ticker.gateway.hub.flush cimport Flush


cdef class Hub(Flush):
    cdef int64_t interval

    cdef int64_t take_turn(self, int64_t now, int budget) except? -2
    cdef int _drain(self) except -1
    cdef void _serve_due(self, uint32_t number) noexcept nogil
    cdef void _serve_ready(self, uint32_t number) noexcept nogil
    cdef void _serve_drained(self) noexcept nogil
    cdef int _take_symbols(
        self, Connection* connection, uint32_t number, list symbols, uint32_t channel, dict seen
    ) except -1
    cdef bint _has_newest(self, uint32_t symbol, uint32_t channel, object moment) except -1
