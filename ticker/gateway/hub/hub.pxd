"""The hub: symbol -> subscribers, what changed, and one send for each client that is told.

    ring records --> intake, sales (latest price), topics (version) --> pending connections --> one send each

Its parts: Subscriptions (who), Agenda (when), Flush (what); each has its own state.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.gateway.hub.agenda cimport Agenda
from ticker.gateway.hub.flush cimport Flush
from ticker.gateway.hub.intake cimport Intake
from ticker.gateway.hub.sales cimport Sales
from ticker.gateway.hub.shared_frames cimport SharedFrames
from ticker.gateway.hub.subscriptions cimport Subscriptions
from ticker.gateway.hub.topics cimport Topics
from ticker.gateway.sockets.connection cimport Connection, ConnectionTable


@cython.final
cdef class Hub:
    cdef Intake intake
    cdef Topics topics
    cdef Sales sales
    cdef SharedFrames frames
    cdef ConnectionTable connections
    cdef readonly Subscriptions subscriptions
    cdef Agenda agenda
    cdef Flush flush
    cdef uint64_t* counters
    cdef object rates            # Rates
    cdef int served              # clients in the newest turn

    cdef int64_t take_turn(self, int64_t now, int64_t steady, int budget) except? -2
    cdef int _drain(self) except -1
    cdef void _serve_due(self, uint32_t number, int64_t now) noexcept nogil
    cdef void _serve_ready(self, uint32_t number, int64_t now) noexcept nogil
    cdef void _serve_drained(self, int64_t now) noexcept nogil
    cdef int _take_symbols(
        self, Connection* connection, uint32_t number, list symbols, uint32_t channel, dict seen
    ) except -1
    cdef bint _has_newest(self, uint32_t symbol, uint32_t channel, object moment) except -1
