"""Latencies by bucket in HdrHistogram's own layout, with the exact maximum beside them.

Law: this is the hot half, which counts; the `hdrhistogram` package reads (latencies.py). The
counts are those of an HdrHistogram from 1 ns to 1 hour with three significant digits, index for
index, so nothing is lost on the way. The histograms of a segment (ticker/shm/counters.pxd) are
coarser: they live in shared memory for years. This one is for a run's report, where p99.99 is
read off.
Source: G. Tene, HdrHistogram, AbstractHistogram.countsArrayIndex.
"""

import ctypes

from hdrh.histogram import HdrHistogram

from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

LOWEST, HIGHEST, DIGITS = 1, 3_600_000_000_000, 3
cdef int64_t HOUR = HIGHEST

cdef extern from *:
    """
    static inline unsigned bench_bucket(uint64_t value) {
        unsigned shift = 53u - (unsigned)__builtin_clzll(value | 2047);
        return shift * 1024 + (unsigned)(value >> shift);
    }
    """
    unsigned bench_bucket(uint64_t value) nogil


def empty() -> HdrHistogram:
    """An HdrHistogram that takes what a Histogram counted."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


cdef class Histogram:
    """Durations in ns. A negative one counts as 0, one over an hour as an hour."""

    def __cinit__(self) -> None:
        self.clear()

    cdef void add(self, int64_t ns) noexcept nogil:
        if ns < 0:
            ns = 0
        self.counts[bench_bucket(<uint64_t>(ns if ns < HOUR else HOUR))] += 1
        self.total += 1
        if ns > self.maximum:
            self.maximum = ns

    def record(self, ns: int) -> None:
        """Count one duration."""
        self.add(ns)

    def clear(self) -> None:
        """Forget everything."""
        memset(self.counts, 0, sizeof(self.counts))
        self.total = 0
        self.maximum = 0

    def hdr(self) -> HdrHistogram:
        """The same counts as an HdrHistogram."""
        cdef int first = 0, last = COUNTS - 1
        cdef uintptr_t place
        made = empty()
        assert made.counts_len == COUNTS and made.word_size == sizeof(uint64_t)
        if self.total:
            while not self.counts[first]:
                first += 1
            while not self.counts[last]:
                last -= 1
            place = ctypes.addressof(made.counts)
            memcpy(<void*>place, self.counts, sizeof(self.counts))
            made.set_internal_tacking_values(first, last, self.total)
        return made

    def dump(self) -> dict[str, object]:
        """What `Latencies.load` takes, fit for JSON: the exact maximum in ns, and the counts in
        HdrHistogram's V2 form, compressed, in base64."""
        return {"maximum": self.maximum, "counts": self.hdr().encode().decode("ascii")}
