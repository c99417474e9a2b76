"""Trades that come behind their rows: see late.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.cluster.heard cimport HeardRows
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping
from ticker.shm.ring cimport RingReader


cdef class Owed:
    """Trades of a shard that readers are yet to be told, though its rows are newer."""

    cdef uint64_t told           # up to this batch they are told
    cdef uint64_t newest         # whose rows are shown
    cdef int64_t since           # when the batch `told` was published, ns; by the speaker's clock
    cdef bint begun              # whether `told` is known
    cdef bint recalled           # the log gave some of them
    cdef bint anew               # readers may have some of them, of a predecessor
    cdef dict frames             # behind `told`, by batch


cdef class Late:
    cdef Mapping mapping
    cdef HeardRows rows
    cdef GapLedger ledger
    cdef uint64_t* counters
    cdef dict owed               # Owed by shard
    cdef list holes              # (when it is sure, row, seq) of rows that lost trades up to a seq
    cdef size_t bytes            # of all frames
    cdef readonly uint64_t recalled
    cdef readonly uint64_t lost

    cdef bint owes(self, uint32_t number) noexcept
    # From now on the trades of this shard wait for those of the batches behind `told`.
    cdef int owe(
        self, uint32_t number, uint64_t told, uint64_t newest, int64_t since, bint anew
    ) except -1
    # A frame whose rows are shown. `recalled`: it is from the log.
    cdef bint keep(
        self, uint32_t number, uint64_t batch, bytes frame, bint recalled, uint64_t epoch, int64_t now
    ) except -1
    # What has not come is lost.
    cdef int forgive(self, uint32_t number, uint64_t epoch, int64_t now) except -1

    # Rows of the shard are newer than their trades: those that do not come soon are lost.
    cdef int note(self, uint32_t number, int64_t now) except -1
    # Tell readers of trades that did not come.
    cdef int tell_holes(self, int64_t now) except -1

    cdef int _read_told(self, RingReader reader, int64_t* published) except -1
    cdef int _tell(self, Owed owed, uint32_t number) except -1
    cdef int _write(self, Owed owed, bytes frame) except -1
    cdef int _lose(
        self, uint32_t number, uint64_t start, uint64_t end, uint64_t epoch, int64_t now
    ) except -1
