"""How many watch the symbols of each shard, and bars: see watchers.pyx, and the words of it."""

cimport cython
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.shards.sharding cimport Sharding

cdef enum:
    MOST_SHARDS = 4096
    MOST_GATEWAYS = 65
    # In `conditions` of a RECORD_CORRECTION: the row is of an image of a shard that was not followed,
    # and trades up to the record's seq that were not told are not going to be.
    SKIPS_TRADES = 1

# Behind the interest in books, in a gateway's segment.
cdef struct Watchers:
    uint64_t version             # grows whenever a count begins or ends to be 0
    uint64_t bars                # subscriptions of clients to bars of any symbol
    uint64_t reserved[6]
    uint64_t counts[MOST_SHARDS] # subscriptions of clients to symbols of the shard


@cython.final
cdef class WatcherCounts:
    """One gateway's counts, in its own segment."""

    cdef Mapping mapping
    cdef Watchers* words
    cdef Sharding sharding
    cdef object name_of
    cdef uint16_t* shards        # by symbol: its shard and 1; 0: not asked for yet
    cdef uint32_t room

    # To be called before `came`. Raises MemoryError.
    cdef int learn(self, uint32_t symbol) except -1
    cdef void came(self, uint32_t symbol) noexcept nogil
    cdef void left(self, uint32_t symbol) noexcept nogil


@cython.final
cdef class WatchedShards:
    """The counts of all gateways, as a bridge reads them."""

    cdef list mappings
    cdef int used
    cdef uint32_t count
    cdef const Watchers* words[MOST_GATEWAYS]
    cdef uint64_t seen[MOST_GATEWAYS]


cdef Watchers* watchers_of(Mapping mapping) except NULL


@cython.final
cdef class WatchedBars:
    """The counts of bars of all gateways, as the store worker reads them."""

    cdef list mappings
    cdef int used
    cdef const Watchers* words[MOST_GATEWAYS]
