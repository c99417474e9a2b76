"""HdrHistogram's counts of durations, for the generator's own process."""

from libc.stdint cimport int64_t, uint64_t


cdef enum:
    SUB_BUCKETS = 2048         # the power of 2 that three significant digits need
    HALF = 1024
    COUNTS = 33 * 1024         # of every value from 0 to HIGHEST


cdef class Histogram:
    cdef uint64_t[33 * 1024] counts
    cdef readonly uint64_t total
    cdef readonly int64_t maximum

    cdef void add(self, int64_t ns) noexcept nogil
