"""A log-linear histogram of durations, for the generator's own process."""

from libc.stdint cimport int64_t, uint64_t


cdef enum:
    STEP_BITS = 7
    STEPS = 128                # steps to the octave: a bucket is at most 1/128 of its value wide
    BUCKETS = 57 * 128         # 63 bits of value


cdef class Histogram:
    cdef uint64_t[57 * 128] counts
    cdef readonly uint64_t total
    cdef readonly int64_t maximum

    cdef void add(self, int64_t ns) noexcept nogil
