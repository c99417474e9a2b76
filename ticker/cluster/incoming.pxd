"""A feed's segment from frames: see incoming.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.cluster.frame cimport FrameHead
from ticker.cluster.heard cimport HeardRows
from ticker.cluster.late cimport Late
from ticker.cluster.parts cimport Part, Parts
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport FeedState

cpdef enum Verdict:
    VERDICT_TAKEN = 0
    VERDICT_HELD                 # behind a gap, or an image is not there yet
    VERDICT_DUPLICATE
    VERDICT_OLD                  # of an epoch that is over
    VERDICT_OTHER                # of another box that speaks in the same epoch
    VERDICT_REFUSED              # no frame, or one that cannot be


cdef class Incoming:
    cdef Mapping mapping
    cdef HeardRows rows
    cdef FeedState* state
    cdef uint64_t* counters
    cdef DoorbellRinger ringer
    cdef GapLedger ledger
    cdef uint32_t feed
    cdef uint32_t shard_count
    cdef Parts shards            # how far it is in each of them
    cdef Part* parts             # of `shards`
    cdef list held               # of each shard: frames by batch
    cdef size_t held_bytes       # of all of them
    cdef readonly Late late      # trades behind a gap
    cdef bint logged             # there is a log, which has what never came
    cdef int64_t found           # the log is read from here on for what a predecessor did not tell
    cdef bint resumed            # this is the epoch that a predecessor served
    cdef object pieces           # of images that have not come whole
    cdef readonly uint64_t epoch
    cdef readonly uint64_t boot
    cdef readonly int speaker_state
    cdef readonly int speaker_why

    cdef Verdict _pass(self, const FrameHead* head, int64_t now) except *
    cdef int _begin(self, uint64_t epoch, uint64_t boot, int64_t now) except -1
    cdef int _apply(self, bytes frame, const FrameHead* head, int64_t now) except -1
    cdef Verdict _delta(self, bytes frame, const FrameHead* head, int64_t now) except *
    cdef Verdict _hold(self, bytes frame, const FrameHead* head) except *
    cdef Verdict _image(self, bytes frame, const FrameHead* head, int64_t now) except *
    cdef int _owe(self, uint32_t number, uint64_t batch, int64_t now) except -1
    cdef int _drain(self, uint32_t number, int64_t now) except -1
    cdef int _drop_held(self, uint32_t number, uint64_t batch) except -1
