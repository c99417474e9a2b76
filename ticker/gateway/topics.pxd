"""Topics: the latest price of every symbol, its version, and its frames."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.board cimport Board
from ticker.gateway.encode cimport PriceFrame
from ticker.shm.layout cimport Record
from ticker.shm.ring cimport RingReader


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
    uint8_t taken_back           # a trade of `time`; the last sale is older now


cdef class Topics:
    cdef Board board
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
    cdef uint32_t* changed       # topics with a new version, for the hub to take
    cdef uint32_t changed_count
    cdef uint64_t changed_subscribers

    cdef int drain(self) except -1
    cdef bint records_wait(self) except -1
    cdef int begin_frames(self, uint32_t symbol) except -1
    cdef size_t put_update(self, uint32_t symbol, uint8_t* to, int64_t now) noexcept nogil
    cdef size_t put_snapshot(self, uint32_t symbol, uint8_t* to) noexcept nogil
    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1
    cdef int _grow(self) except -1
    cdef int _grow_arrays(self, uint32_t capacity) except -1
    cdef int _learn(self, uint32_t feed, uint32_t row) except -1
    cdef int _reload(self, uint32_t symbol) except -1
    cdef int _resync(self, uint32_t feed) except -1
    cdef bint _trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil
    cdef void _touch(self, uint32_t symbol) noexcept nogil
