"""Topics: what can be subscribed, a symbol on a channel; its version, and who has subscribed.

A topic's number is its symbol's times 4, plus its channel.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.prices.board cimport Board
from ticker.gateway.prices.consolidate cimport Consolidated
from ticker.gateway.hub.fields cimport Fields
from ticker.gateway.hub.trade_log cimport TradeLog
from ticker.shm.layout cimport SYMBOL_BYTES, Record, Row
from ticker.shm.ring cimport RingReader


cdef enum:
    CHANNEL_BITS = 2
    CHANNEL_MASK = (1 << CHANNEL_BITS) - 1

cdef struct Subscriber:
    uint32_t connection
    uint32_t slot                # in the connection's subscriptions

cdef struct Topic:
    Subscriber* subscribers
    uint32_t subscriber_count
    uint32_t subscriber_capacity
    uint8_t touched              # is in `changed`

# The last sale of a symbol over its venues.
cdef struct Sale:
    int64_t price
    int64_t time                 # its exchange time
    int64_t publish_time
    uint64_t size
    uint64_t size_exponent
    uint64_t seq                 # trades so far, all venues
    uint32_t feed                # of the row that it happened on
    uint32_t row
    uint8_t ambiguous            # another price was shown with the same microsecond
    uint8_t taken_back           # the last sale is older than a trade that was taken back
    uint8_t name_length
    char name[SYMBOL_BYTES]

cdef struct RowState:
    uint64_t seq                 # that was applied last
    uint64_t told                # of the newest trade that `trades` was told of


cdef inline uint32_t topic_of(uint32_t symbol, uint32_t channel) noexcept nogil:
    return symbol << CHANNEL_BITS | channel


cdef class Topics:
    cdef Board board
    cdef TradeLog log
    cdef list readers            # [(feed, RingReader)]
    cdef uint64_t* counters
    cdef RowState** states       # [feed][row]
    cdef Row** rows              # [feed] the rows of its table
    cdef Sale* sales             # of each symbol
    cdef Fields* quotes          # of each symbol, as of its quote topic's version
    cdef Topic* topics
    cdef uint32_t* versions      # of each topic; 0: no price yet
    cdef uint32_t symbol_count
    cdef uint32_t symbol_capacity
    cdef uint32_t* changed       # topics with a new version and subscribers, for the hub to take
    cdef uint32_t changed_count
    cdef uint64_t changed_subscribers

    cdef int drain(self) except -1
    cdef int read_quote(self, uint32_t symbol) except -1
    cdef bint records_wait(self) except -1
    cdef void sale_fields(self, uint32_t symbol, Fields* fields) noexcept nogil
    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1
    cdef int _take_record(self, uint32_t feed, const Record* record) except -1
    cdef int _grow(self) except -1
    cdef int _grow_arrays(self, uint32_t capacity) except -1
    cdef int _name(self, uint32_t symbol) except -1
    cdef int _learn(self, uint32_t feed, uint32_t row) except -1
    cdef int _reload(self, uint32_t symbol, bint lapped) except -1
    cdef int _reload_rows(self, uint32_t symbol, bint lapped) except -1
    cdef int _take_sale(self, uint32_t symbol, const Consolidated* found) except -1
    cdef int _resync(self, uint32_t feed) except -1
    cdef bint _trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil
    cdef void _set_sale(
        self, uint32_t feed, uint32_t symbol, const Record* record
    ) noexcept nogil
    cdef void _log_trade(
        self, uint32_t feed, uint32_t symbol, const Record* record, RowState* state
    ) noexcept nogil
    cdef void _touch(self, uint32_t topic, uint32_t by) noexcept nogil
