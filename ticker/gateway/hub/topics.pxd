"""Topics: what can be subscribed, a symbol on a channel; its version, and who has subscribed.

A topic's number is its symbol's times 16, plus its channel; on `depth` it is that of a view, on `movers`
that of a list. `bars` has a channel for each span.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef enum:
    CHANNEL_BITS = 4
    CHANNEL_MASK = (1 << CHANNEL_BITS) - 1

cdef struct Subscriber:
    uint32_t connection
    uint32_t slot                # in the connection's subscriptions

cdef struct Topic:
    Subscriber* subscribers
    uint32_t subscriber_count
    uint32_t subscriber_capacity
    uint8_t touched              # is in `changed`


cdef inline uint32_t topic_of(uint32_t symbol, uint32_t channel) noexcept nogil:
    return symbol << CHANNEL_BITS | channel


cdef void* regrown(void* array, uint32_t before, uint32_t capacity, size_t size) except NULL


@cython.final
cdef class Topics:
    cdef Topic* topics
    cdef uint32_t* versions      # of each topic; 0: no price yet
    cdef uint32_t symbol_count
    cdef uint32_t symbol_capacity
    cdef uint32_t* changed       # topics with a new version and subscribers, for the hub to take
    cdef uint32_t changed_count
    cdef uint64_t changed_subscribers

    cdef int grow(self, uint32_t capacity) except -1
    cdef void touch(self, uint32_t number, uint32_t by) noexcept nogil
