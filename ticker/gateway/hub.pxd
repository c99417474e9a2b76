"""The hub: symbol -> subscribers, what changed, and who is told when.

    ring records --> topics (latest price, version) --> pending connections --> one send each

A connection that has at least one subscription is in one phase:

    IDLE     nothing was sent for a whole interval: the next tick goes out at once
    READY    queued for its leading-edge flush
    WAITING  was flushed less than an interval ago: stands in a bucket of the wheel
    BLOCKED  its socket is full: left out until it drains
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.connection cimport Connection, ConnectionTable
from ticker.gateway.topics cimport Topic, Topics


cdef enum Phase:
    PHASE_NONE = 0               # no subscription, or not open
    PHASE_IDLE = 1
    PHASE_READY = 2
    PHASE_WAITING = 3
    PHASE_BLOCKED = 4

cdef enum:
    TURNS = 4                    # turns of the wheel per flush interval
    BUCKETS = 8                  # a power of two over TURNS + 1
    FEW = 600                    # a bucket with fewer connections joins the next one

cdef enum Queued:
    QUEUED_WHEEL = 1
    QUEUED_READY = 2
    QUEUED_DUE = 4

cdef struct Queue:
    uint32_t* items
    uint32_t head
    uint32_t count


cdef class Hub:
    cdef Topics topics
    cdef ConnectionTable connections
    cdef uint64_t* counters
    cdef uint64_t subscription_total
    cdef uint8_t* phases
    cdef uint8_t* pending
    cdef uint8_t* queued         # QUEUED_ bits
    cdef uint32_t* wheel_next
    cdef uint32_t* wheel_turn    # the turn after that of the bucket it stood in
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
    cdef uint32_t* due_slots     # scratch of one flush: the subscriptions that are due
    cdef uint8_t* out
    cdef size_t out_capacity
    cdef int64_t now

    cdef void _mark(self) noexcept nogil
    cdef void _mark_topic(self, Topic* topic) noexcept nogil
    cdef void _look_ahead(self, const Queue* queue) noexcept nogil
    cdef int _flush(self, uint32_t number) noexcept nogil
    cdef void _push(self, Queue* queue, uint8_t flag, uint32_t number) noexcept nogil
    cdef uint32_t _pop(self, Queue* queue, uint8_t flag) noexcept nogil
    cdef void _enter_wheel(self, uint32_t number, uint64_t turn) noexcept nogil
    cdef void _take_buckets(self) noexcept nogil
    cdef void _take_bucket(self, uint64_t turn) noexcept nogil
    cdef int64_t take_turn(self, int64_t now, int budget) except? -2
    cdef void _set_phase(self, uint32_t number, uint8_t phase) noexcept nogil
    cdef void _serve_due(self, uint32_t number) noexcept nogil
    cdef void _serve_ready(self, uint32_t number) noexcept nogil
    cdef int64_t _next_turn(self) noexcept
    cdef void _serve_drained(self) noexcept nogil
    cdef int _attach(self, Connection* connection, uint32_t number, uint32_t symbol) except -1
    cdef void _detach(self, Connection* connection, uint32_t slot) noexcept nogil
    cdef int64_t _find(self, Connection* connection, uint32_t symbol) noexcept nogil
