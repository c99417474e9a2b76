"""The hub: symbol -> subscribers, what changed, and who is told when.

    ring records --> topics (latest price, version) --> pending connections --> one send each

A connection that has at least one subscription is in one phase:

    IDLE     nothing was sent for a whole interval: the next tick goes out at once
    READY    queued for its leading-edge flush
    WAITING  was flushed less than an interval ago: stands in a bucket of the wheel
    BLOCKED  its socket is full: left out until it drains
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.gateway.board cimport Board
from ticker.gateway.connection cimport Connection, Connections
from ticker.gateway.encode cimport PriceFrame
from ticker.shm.layout cimport Record
from ticker.shm.ring cimport RingReader


cdef enum Phase:
    PHASE_NONE = 0               # no subscription, or not open
    PHASE_IDLE = 1
    PHASE_READY = 2
    PHASE_WAITING = 3
    PHASE_BLOCKED = 4

cdef enum:
    TURNS = 4                    # turns of the wheel per flush interval
    BUCKETS = 8                  # a power of two over TURNS

cdef enum Queued:
    QUEUED_WHEEL = 1
    QUEUED_READY = 2
    QUEUED_DUE = 4

cdef struct Subscriber:
    uint32_t connection
    uint32_t slot                # in the connection's subscriptions

cdef struct Topic:
    int64_t price
    int64_t time                 # exchange time of the last sale
    int64_t publish_time
    Subscriber* subscribers
    uint32_t subscriber_count
    uint32_t subscriber_capacity
    uint32_t snapshot_version    # that `snapshot` shows
    PriceFrame* snapshot         # NULL until somebody subscribes
    uint8_t touched              # is in `changed`
    uint8_t ambiguous            # another price was shown with the same microsecond

cdef struct Queue:
    uint32_t* items
    uint32_t head
    uint32_t count


cdef class Hub:
    cdef Board board
    cdef Connections connections
    cdef list readers            # [(feed, RingReader)]
    cdef uint64_t* counters
    cdef uint64_t* histograms
    cdef uint64_t** row_seq      # [feed][row] -> seq that was applied last
    cdef Topic* topics
    cdef uint32_t* versions      # of each topic; 0: no price yet
    cdef uint32_t* shown         # of each topic: the version that its update frame shows
    cdef PriceFrame* updates     # of each topic, on cache lines of their own
    cdef void* updates_memory
    cdef uint32_t topic_count
    cdef uint32_t topic_capacity
    cdef uint32_t* changed
    cdef uint32_t changed_count
    cdef uint64_t changed_subscribers
    cdef uint64_t subscription_total
    cdef uint8_t* phases
    cdef uint8_t* pending
    cdef uint8_t* queued         # QUEUED_ bits
    cdef uint32_t* wheel_next
    cdef uint32_t[BUCKETS] bucket_head
    cdef uint32_t[BUCKETS] bucket_tail
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

    cdef int _drain(self) except -1
    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1
    cdef int _grow(self) except -1
    cdef int _learn(self, uint32_t feed, uint32_t row) except -1
    cdef void _trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil
    cdef int _reload(self, uint32_t symbol) except -1
    cdef int _resync(self, uint32_t feed) except -1
    cdef void _touch(self, uint32_t symbol) noexcept nogil
    cdef void _mark(self) noexcept nogil
    cdef void _mark_topic(self, Topic* topic) noexcept nogil
    cdef int _grow_arrays(self, uint32_t capacity) except -1
    cdef size_t _put_update(self, uint32_t symbol, size_t at) noexcept nogil
    cdef size_t _put_snapshot(self, uint32_t symbol, size_t at) noexcept nogil
    cdef void _look_ahead(self, const Queue* queue) noexcept nogil
    cdef int _flush(self, uint32_t number) noexcept nogil
    cdef void _push(self, Queue* queue, uint8_t flag, uint32_t number) noexcept nogil
    cdef uint32_t _pop(self, Queue* queue, uint8_t flag) noexcept nogil
    cdef void _enter_wheel(self, uint32_t number, uint64_t turn) noexcept nogil
    cdef void _take_buckets(self) noexcept nogil
    cdef void _set_phase(self, uint32_t number, uint8_t phase) noexcept nogil
    cdef void _serve_due(self, uint32_t number) noexcept nogil
    cdef void _serve_ready(self, uint32_t number) noexcept nogil
    cdef int64_t _next_turn(self) noexcept
    cdef void _serve_drained(self) noexcept nogil
    cdef int _attach(self, Connection* connection, uint32_t number, uint32_t symbol) except -1
    cdef void _detach(self, Connection* connection, uint32_t slot) noexcept nogil
    cdef int _frames_of(self, uint32_t symbol) except -1
    cdef int64_t _find(self, Connection* connection, uint32_t symbol) noexcept nogil
