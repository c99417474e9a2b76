"""When each client is told: at once after quiet, else at its turn of the wheel.

A connection that has at least one subscription is in one phase:

    IDLE     nothing was sent for a whole interval: the next tick goes out at once
    READY    queued for its leading-edge flush
    WAITING  was flushed less than an interval ago: stands in a bucket of the wheel
    BLOCKED  its socket is full: left out until it drains
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.hub.subscriptions cimport Subscriptions
from ticker.gateway.hub.topics cimport Topic


cdef enum Phase:
    PHASE_NONE = 0               # no subscription, or not open
    PHASE_IDLE = 1
    PHASE_READY = 2
    PHASE_WAITING = 3
    PHASE_BLOCKED = 4

cdef enum:
    TURNS = 4                    # turns of the wheel per flush interval
    BUCKETS = 64                 # a power of two; who waits for longer goes round again
    FEW = 600                    # a bucket with fewer connections joins the next one
    MOST_TURNS = 60000

cdef enum Queued:
    QUEUED_WHEEL = 1
    QUEUED_READY = 2
    QUEUED_DUE = 4

cdef struct Queue:
    uint32_t* items
    uint32_t head
    uint32_t count


cdef class Agenda(Subscriptions):
    cdef uint8_t* phases
    cdef uint8_t* pending
    cdef uint8_t* queued         # QUEUED_ bits
    cdef uint32_t* wheel_next
    cdef uint32_t* wheel_turn    # the turn that it waits for, then the one that it had
    cdef uint32_t[BUCKETS] bucket_head
    cdef uint32_t[BUCKETS] bucket_tail
    cdef uint32_t[BUCKETS] bucket_count
    cdef Queue ready
    cdef Queue due
    cdef uint64_t turn_index     # the next turn of the wheel
    cdef uint64_t all_pending_until
    cdef int64_t origin
    cdef int64_t turn_width
    cdef uint32_t idle_count
    cdef int64_t now

    cdef void _mark(self) noexcept nogil
    cdef void _mark_topic(self, Topic* topic) noexcept nogil
    cdef void _set_phase(self, uint32_t number, uint8_t phase) noexcept nogil
    cdef void _push(self, Queue* queue, uint8_t flag, uint32_t number) noexcept nogil
    cdef uint32_t _pop(self, Queue* queue, uint8_t flag) noexcept nogil
    cdef uint32_t _turns(self, uint32_t number) noexcept nogil
    cdef void _enter_wheel(self, uint32_t number, uint64_t turn) noexcept nogil
    cdef void _leave_wheel(self, uint32_t number) noexcept nogil
    cdef void _take_buckets(self) noexcept nogil
    cdef void _take_bucket(self, uint64_t turn) noexcept nogil
    cdef void _look_ahead(self, const Queue* queue) noexcept nogil
    cdef int64_t _next_turn(self) noexcept
