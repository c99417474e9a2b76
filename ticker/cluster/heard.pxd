"""A feed's rows as its speaker tells them: see heard.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.cluster.frame cimport FrameTrade
from ticker.shm.layout cimport Record, Values
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.table cimport TableWriter

# A row of this segment, and what its speaker has of it.
cdef struct Heard:
    Values values                # the speaker's own
    uint64_t seq_ahead           # to be added to the speaker's numbers, so that none goes back
    uint64_t quotes_ahead
    uint64_t corrections_ahead
    uint64_t told_seq            # of the newest trade that readers have, or that the row had
    uint64_t told_match          # and what else tells it from others, 0: not known
    int64_t told_time
    int64_t found                # publish time of what a predecessor left in the row
    uint64_t image               # number of the newest image that it was in
    uint32_t shard
    uint32_t ring
    bint counts_anew             # where the speaker's count goes on from what was shown is not known
    bint behind                  # the speaker has less of the day than was shown


cdef class HeardRows:
    cdef TableWriter table
    cdef uint64_t* counters
    cdef list rings
    cdef uint32_t ring_count
    cdef Sharding sharding
    cdef dict rows_by_name
    cdef Heard* heard            # by own row
    cdef size_t heard_bytes
    cdef uint32_t* own           # by the speaker's row: own row + 1; 0: not known
    cdef uint32_t own_room
    cdef uint8_t* news           # News bits of each row of a frame
    cdef uint64_t images
    cdef bint skips              # rows of images that follow have trades that are not told
    cdef bint other_box          # the speaker is of another box than the one before
    cdef bint changed            # since the doorbell was rung

    cdef void forget_numbers(self, bint other_box) noexcept
    cdef void begin_image(self) noexcept
    # Whose rows these are; False: they are not of this shard, and nothing is learnt.
    cdef bint learn_names(self, const uint8_t* frame) except *
    # Whether all rows of the frame have been named.
    cdef bint knows(self, const uint8_t* frame) noexcept
    # Publish a frame whose rows are known; `first`: the shard's first image of an epoch.
    # Its trades come later, if not `trades`.
    cdef void apply(self, const uint8_t* frame, bint image, bint first, bint trades) noexcept
    # Its trades alone: its rows were in an image. `again`: a predecessor may have told them.
    cdef void write_trades(self, const uint8_t* frame, bint again) noexcept
    # Nobody vouches for rows of the shard that the newest image does not have.
    cdef void forsake(self, uint32_t number) noexcept

    cdef int _name(self, const uint8_t* at) except -1
    cdef int _enter(self, uint32_t row) except -1
    cdef const uint8_t* _row(self, const uint8_t* at, uint8_t* news, bint image, bint first) noexcept
    cdef Values _shown(self, uint32_t row) noexcept
    cdef uint8_t _show(self, uint32_t row, bint image, bint first) noexcept
    cdef void _count_on(self, uint32_t row, uint64_t ahead) noexcept
    cdef bint _is_new(self, uint32_t row, const FrameTrade* trade) noexcept
    cdef void _changes(self, const uint8_t* frame) noexcept
    cdef void _write(self, uint32_t row, Record* record) noexcept
    cdef void _fetch(self, uint32_t row) noexcept nogil
    cdef int64_t _own(self, uint32_t theirs) noexcept
