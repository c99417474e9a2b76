"""Latencies by bucket, exact to 0.8 %, with the exact maximum beside them.

The histograms of a segment (ticker/shm/counters.pxd) are coarser: they live in shared memory
for years. This one is for a run's report, where p99.99 is read off.
Source: the bucket scheme of HdrHistogram (G. Tene), 7 bits of precision.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

PERCENTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)

cdef extern from *:
    """
    static inline unsigned bench_bucket(uint64_t value) {
        if (value < 128) return (unsigned)value;
        unsigned shift = 56u - (unsigned)__builtin_clzll(value);
        return (shift + 1) * 128 + (unsigned)((value >> shift) & 127);
    }
    """
    unsigned bench_bucket(uint64_t value) nogil


cdef int64_t upper_bound(unsigned bucket) noexcept nogil:
    """The highest value of a bucket."""
    cdef unsigned shift
    if bucket < STEPS:
        return bucket
    shift = bucket // STEPS - 1
    return ((<int64_t>(STEPS + bucket % STEPS + 1)) << shift) - 1


cdef class Histogram:
    """Durations in ns. A negative one counts as 0."""

    def __cinit__(self) -> None:
        self.clear()

    cdef void add(self, int64_t ns) noexcept nogil:
        if ns < 0:
            ns = 0
        self.counts[bench_bucket(<uint64_t>ns)] += 1
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

    def percentile(self, fraction: float) -> int:
        """The value in ns that this fraction of the durations is at or below (nearest rank,
        at most 0.8 % too high); 0 when there are none."""
        cdef uint64_t wanted, reached = 0
        cdef int bucket
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction {fraction}: from 0 to 1")
        if not self.total:
            return 0
        wanted = max(1, min(self.total, -int(-fraction * self.total // 1)))
        for bucket in range(BUCKETS):
            reached += self.counts[bucket]
            if reached >= wanted:
                return min(upper_bound(<unsigned>bucket), self.maximum)
        return self.maximum

    def merge(self, Histogram other not None) -> None:
        """Add the counts of another one."""
        cdef int bucket
        for bucket in range(BUCKETS):
            self.counts[bucket] += other.counts[bucket]
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def dump(self) -> dict[str, object]:
        """What `load` takes: plain numbers, fit for JSON."""
        return {
            "maximum": self.maximum,
            "counts": [[bucket, self.counts[bucket]]
                       for bucket in range(BUCKETS) if self.counts[bucket]],
        }

    @staticmethod
    def load(dumped: dict) -> Histogram:
        """The histogram that `dump` wrote down."""
        cdef Histogram histogram = Histogram()
        for bucket, number in dumped["counts"]:
            if not 0 <= bucket < BUCKETS:
                raise ValueError(f"bucket {bucket}: there are {BUCKETS}")
            histogram.counts[<unsigned>bucket] = number
            histogram.total += number
        histogram.maximum = dumped["maximum"]
        return histogram

    def summary(self) -> dict[str, float | int]:
        """Count, percentiles and maximum in microseconds, by their usual names."""
        found = {"count": self.total}
        for fraction in PERCENTILES:
            found[f"p{fraction * 100:g}_us"] = self.percentile(fraction) / 1000.0
        found["max_us"] = self.maximum / 1000.0
        return found
