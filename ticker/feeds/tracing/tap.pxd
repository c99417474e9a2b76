"""A decoder whose messages are kept where they make trades of some rows: see tap.pyx."""

from libc.stdint cimport uint32_t, uint64_t

from ticker.feeds.tracing.around cimport Around
from ticker.shm.lineage.traces cimport MOST_TRACED, TraceWriter


cdef class TracingTap(Around):
    cdef TraceWriter writer
    cdef uint32_t count
    cdef uint32_t[MOST_TRACED] rows
    cdef uint64_t[MOST_TRACED] seqs      # of the rows, before a message
    cdef bint[MOST_TRACED] held          # the filter held a trade of the row before
