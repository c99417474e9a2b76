"""How far a bridge is in each shard: see parts.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.cluster.frame cimport FeedWords
from ticker.shm.layout cimport FeedState

cdef struct Part:
    uint64_t batch               # of the newest frame that is taken
    int64_t published            # when that was, by the speaker's clock
    uint64_t said                # that the speaker says to have published
    int64_t seen                 # when the newest image came
    bint whole                   # there was an image in this epoch
    bint torn                    # its rows lack what a hole had, until an image comes
    bint followed                # its deltas are asked for
    bint joining                 # they are since a moment ago: those before are no gap


cdef class Parts:
    cdef Part* parts
    cdef uint32_t count

    # A new epoch: nothing was taken yet.
    cdef void begin(self) noexcept
    cdef Part* of(self, uint32_t shard) except NULL
    cdef list batches(self)
    # The shards that need an image; `held` has the frames that wait in each.
    cdef list wanting(self, list held)
    cdef list outdated(self, int64_t since)


# What a speaker said of its feed at `said`, as the feed's state here. Times of its clock become those
# of ours, by their ages.
cdef void show_feed(FeedState* state, const FeedWords* words, int64_t said, int64_t now) noexcept

# The same on the speaker's side: the words of its feed, but for the number of its rows.
cdef void read_feed(const FeedState* state, FeedWords* words, int64_t now) noexcept
