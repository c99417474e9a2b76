"""How far a bridge is in each shard, and whether the shard's deltas come at all. No I/O, no clock."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.cluster.frame cimport FeedWords
from ticker.shm.atomics cimport load_acquire, load_relaxed, store_release
from ticker.shm.layout cimport FEED_STALE, FeedState

from ticker.shm.liveness import WORKER_TIMEOUT_NS

cdef int64_t WORKER_TIMEOUT = WORKER_TIMEOUT_NS


cdef class Parts:
    """Of `count` shards; all of them are followed at first."""

    def __cinit__(self, uint32_t count) -> None:
        cdef uint32_t shard
        self.count = count
        self.parts = <Part*>PyMem_Calloc(count, sizeof(Part))
        if self.parts == NULL:
            raise MemoryError("no memory for the shards of a bridge")
        for shard in range(count):
            self.parts[shard].followed = True

    def __dealloc__(self) -> None:
        PyMem_Free(self.parts)

    cdef void begin(self) noexcept:
        cdef uint32_t shard
        cdef bint followed
        for shard in range(self.count):
            followed = self.parts[shard].followed
            memset(&self.parts[shard], 0, sizeof(Part))
            self.parts[shard].followed = followed

    cdef Part* of(self, uint32_t shard) except NULL:
        if shard >= self.count:
            raise IndexError(f"shard {shard}: there are {self.count}")
        return self.parts + shard

    cdef list batches(self):
        return [self.parts[shard].batch for shard in range(self.count)]

    cdef list wanting(self, list held):
        cdef uint32_t shard
        cdef Part* part
        cdef list found = []
        for shard in range(self.count):
            part = &self.parts[shard]
            if not part.whole or part.followed and (part.said > part.batch or held[shard]):
                found.append(shard)
        return found

    cdef list outdated(self, int64_t since):
        cdef uint32_t shard
        cdef Part* part
        cdef list found = []
        for shard in range(self.count):
            part = &self.parts[shard]
            if part.whole and not part.followed and part.said > part.batch and part.seen < since:
                found.append(shard)
        return found


cdef void show_feed(FeedState* state, const FeedWords* words, int64_t said, int64_t now) noexcept:
    cdef int word
    if words.last_message_ns > 0:
        store_release(
            &state.last_message_ns, <uint64_t>min(now, now - said + words.last_message_ns)
        )
    store_release(&state.silence_ns, <uint64_t>words.silence_ns)
    store_release(&state.quiet_ns, <uint64_t>words.quiet_ns)
    for word in range(7):
        store_release(&state.phase + word, words.venue[word])


cdef void read_feed(const FeedState* state, FeedWords* words, int64_t now) noexcept:
    cdef int64_t beat = <int64_t>load_acquire(&state.heartbeat_ns)
    cdef int i
    memset(words, 0, sizeof(FeedWords))
    words.state = load_acquire(&state.state)
    words.why = load_acquire(&state.why)
    if now - beat > WORKER_TIMEOUT:
        words.state = FEED_STALE
    words.last_message_ns = <int64_t>load_acquire(&state.last_message_ns)
    words.silence_ns = <int64_t>load_relaxed(&state.silence_ns)
    words.quiet_ns = <int64_t>load_relaxed(&state.quiet_ns)
    for i in range(7):
        words.venue[i] = load_acquire(&state.phase + i)
