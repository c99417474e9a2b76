"""The day of each row of a feed, as it grows and when it is over: see days.pyx."""

from libc.stdint cimport uint8_t, uint32_t

from ticker.shm.layout cimport Values
from ticker.shm.table cimport PriceTable
from ticker.store.snapshot cimport Image

cdef enum DayState:
    DAY_KNOWN = 1                # the image has values of the row
    DAY_CHANGED = 2              # since it was last taken


cdef class Days:
    """The days of one feed, as its rows were at the last look."""

    cdef Image image
    cdef PriceTable table
    cdef uint8_t* states         # DayState bits of each row
    cdef list over
    cdef object lock

    cdef void _moved(self, uint32_t row, const Values* shown, const Values* values) noexcept nogil
    cdef void _keep_over(self, uint32_t row) noexcept with gil
    cdef object _figures(self, uint32_t row)
