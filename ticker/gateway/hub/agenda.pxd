"""When each client is told: at once after quiet, else at its turn of a wheel.

A connection that has at least one subscription is in one phase:

    IDLE     nothing was sent for a whole interval: the next tick goes out at once
    READY    queued for its leading-edge flush
    WAITING  was flushed less than an interval ago: stands in a bucket of a wheel
    BLOCKED  its socket is full: left out until it drains

There are two wheels. `wheel` is that of the clients without a rate of their own; its turns have the
width that the pace asks for. `rated` is that of the others; its turns are never shorter than a
quarter of the configured interval. At a fixed pace both are the same one.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.hub.subscriptions cimport Subscriptions
from ticker.gateway.hub.topics cimport Topic, Topics
from ticker.gateway.pacing.wheel cimport Wheel
from ticker.gateway.sockets.connection cimport Connection, ConnectionTable


cdef enum Phase:
    PHASE_NONE = 0               # no subscription, or not open
    PHASE_IDLE = 1
    PHASE_READY = 2
    PHASE_WAITING = 3
    PHASE_BLOCKED = 4

cdef enum Queued:
    QUEUED_READY = 1
    QUEUED_DUE = 2

cdef struct Queue:
    uint32_t* items
    uint32_t head
    uint32_t count


@cython.final
cdef class Agenda:
    cdef ConnectionTable connections
    cdef Topics topics
    cdef Subscriptions subscriptions
    cdef uint8_t* phases
    cdef uint8_t* pending
    cdef uint8_t* queued         # QUEUED_ bits
    cdef Wheel wheel
    cdef Wheel rated
    cdef uint32_t turns          # of `wheel` in an interval
    cdef bint apart              # they are two
    cdef int64_t least_width     # of a turn of `rated`
    cdef Queue ready
    cdef Queue due
    cdef uint64_t all_pending_until
    cdef uint32_t idle_count

    cdef void mark(self) noexcept nogil
    cdef void set_phase(self, uint32_t number, uint8_t phase) noexcept nogil
    cdef bint stands(self, uint32_t number) noexcept nogil
    cdef void wait(self, uint32_t number) noexcept nogil
    cdef void hurry(self, uint32_t number) noexcept nogil
    cdef void wait_from_last(self, uint32_t number) noexcept nogil
    cdef void take_buckets(self, int64_t now) noexcept nogil
    cdef void set_interval(self, int64_t interval, bint gathers, int64_t now) noexcept nogil
    cdef uint32_t next_ready(self) noexcept nogil
    cdef uint32_t next_due(self) noexcept nogil
    cdef int64_t next_turn(self, int64_t now) noexcept
    cdef void _mark_topic(self, Topic* topic) noexcept nogil
    cdef uint32_t _place(self, const Queue* queue, uint32_t along) noexcept nogil
    cdef uint32_t _item(self, const Queue* queue, uint32_t along) noexcept nogil
    cdef void _push(self, Queue* queue, uint8_t flag, uint32_t number) noexcept nogil
    cdef uint32_t _pop(self, Queue* queue, uint8_t flag) noexcept nogil
    cdef bint _goes_on(self, uint32_t number) noexcept nogil
    cdef void _enter(self, Wheel wheel, uint32_t number, uint64_t turn) noexcept nogil
    cdef void _take(self, Wheel wheel, int64_t now, bint all_pending) noexcept nogil
    cdef void _fetch_versions(self, const Connection* connection) noexcept nogil
    cdef void _look_ahead(self, const Queue* queue) noexcept nogil
