"""How many clients' subscriptions there are to symbols of each shard of the bus, and to bars.

Law: a gateway counts in its own segment, and a bridge reads when a version has moved. A gateway that
was killed leaves its counts as they are, so no shard is given up until its successor counts anew:
that begins with none, and clients come back soon.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.atomics cimport load_acquire, load_relaxed, store_relaxed, store_release
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport BODY_OFFSET, INTEREST_BYTES, INTEREST_SLOTS

from ticker.errors import SegmentError
from ticker.shm.header import WATCHERS_BYTES

if sizeof(Watchers) != WATCHERS_BYTES:
    raise ImportError("Watchers: WATCHERS_BYTES (header.pyx)")


cdef Watchers* watchers_of(Mapping mapping) except NULL:
    mapping.gateway_state()
    if mapping.size < BODY_OFFSET + INTEREST_SLOTS * INTEREST_BYTES + <Py_ssize_t>sizeof(Watchers):
        raise SegmentError("this is not a gateway's segment: it has no counts of watchers")
    return <Watchers*>(mapping.base + BODY_OFFSET + INTEREST_SLOTS * INTEREST_BYTES)


cdef class WatcherCounts:
    """Of the gateway whose segment `mapping` is; `name_of` gives a symbol's name by its number.
    Making one forgets what a predecessor counted.

    Raises:
        SegmentError: the segment is another one's, or mapped read-only.
        ValueError: more shards than there is room for.
    """

    def __cinit__(
        self, Mapping mapping not None, Sharding sharding not None, name_of: object
    ) -> None:
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        if sharding.count > MOST_SHARDS:
            raise ValueError(f"{sharding.count} shards: {<int>MOST_SHARDS} at most")
        self.mapping = mapping
        self.words = watchers_of(mapping)
        self.sharding = sharding
        self.name_of = name_of
        self.clear()

    def __dealloc__(self) -> None:
        PyMem_Free(self.shards)

    def clear(self) -> None:
        """Nobody watches anything."""
        cdef uint32_t shard
        for shard in range(<uint32_t>MOST_SHARDS):
            store_relaxed(&self.words.counts[shard], 0)
        store_release(&self.words.version, load_relaxed(&self.words.version) + 1)

    cdef int learn(self, uint32_t symbol) except -1:
        cdef uint16_t* grown
        cdef uint32_t room = max(self.room, <uint32_t>1024)
        while room <= symbol:
            room *= 2
        if room > self.room:
            grown = <uint16_t*>PyMem_Realloc(self.shards, room * sizeof(uint16_t))
            if grown == NULL:
                raise MemoryError("no memory for the shards of symbols")
            memset(grown + self.room, 0, (room - self.room) * sizeof(uint16_t))
            self.shards = grown
            self.room = room
        if not self.shards[symbol]:
            self.shards[symbol] = self.sharding.number(self.name_of(symbol)) + 1
        return 0

    cdef void came(self, uint32_t symbol) noexcept nogil:
        cdef uint64_t* count = &self.words.counts[self.shards[symbol] - 1]
        store_relaxed(count, load_relaxed(count) + 1)
        if load_relaxed(count) == 1:
            store_release(&self.words.version, load_relaxed(&self.words.version) + 1)

    cdef void left(self, uint32_t symbol) noexcept nogil:
        cdef uint64_t* count
        if symbol >= self.room or not self.shards[symbol]:
            return
        count = &self.words.counts[self.shards[symbol] - 1]
        if not load_relaxed(count):
            return
        store_relaxed(count, load_relaxed(count) - 1)
        if not load_relaxed(count):
            store_release(&self.words.version, load_relaxed(&self.words.version) + 1)


cdef class WatchedShards:
    """Of these gateways' segments, over `count` shards. Raises SegmentError: one is another one's."""

    def __cinit__(self, mappings: list[Mapping], count: int) -> None:
        cdef Mapping mapping
        if len(mappings) > MOST_GATEWAYS:
            raise ValueError(f"{len(mappings)} gateways: {<int>MOST_GATEWAYS} at most")
        self.mappings = list(mappings)
        self.count = min(count, <uint32_t>MOST_SHARDS)
        for mapping in self.mappings:
            self.words[self.used] = watchers_of(mapping)
            self.seen[self.used] = <uint64_t>-1
            self.used += 1

    def changed(self) -> bool:
        """Whether shards may be watched, or may not be, since the last `read`."""
        cdef int at
        for at in range(self.used):
            if load_acquire(&self.words[at].version) != self.seen[at]:
                return True
        return False

    def read(self) -> list[int]:
        """The subscriptions of each shard, over all gateways."""
        cdef int at
        cdef uint32_t shard
        found = [0] * self.count
        for at in range(self.used):
            self.seen[at] = load_acquire(&self.words[at].version)
            for shard in range(self.count):
                found[shard] += load_relaxed(&self.words[at].counts[shard])
        return found


cdef class WatchedBars:
    """Of these gateways' segments. Raises SegmentError: one is another one's."""

    def __cinit__(self, mappings: list[Mapping]) -> None:
        cdef Mapping mapping
        if len(mappings) > MOST_GATEWAYS:
            raise ValueError(f"{len(mappings)} gateways: {<int>MOST_GATEWAYS} at most")
        self.mappings = list(mappings)
        for mapping in self.mappings:
            self.words[self.used] = watchers_of(mapping)
            self.used += 1

    def any(self) -> bool:
        """Whether a client of any gateway watches bars."""
        cdef int at
        for at in range(self.used):
            if load_acquire(&self.words[at].bars):
                return True
        return False
