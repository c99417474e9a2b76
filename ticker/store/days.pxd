"""The day of each row of a feed, as it grows and when it is over: see days.pyx."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Values
from ticker.shm.table cimport PriceTable


cdef class Days:
    """The rows of one feed, as they were at the last look."""

    cdef Mapping mapping
    cdef PriceTable table
    cdef Values* values
    cdef uint64_t* generations   # of each row when it was copied, + 1
    cdef uint8_t* changed        # its day has changed since it was last taken
    cdef list over

    cdef object _figures(self, uint32_t row)
