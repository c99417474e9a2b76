"""Bars as messages of vendors' dialects, by the forms that the dialects declare."""

from libc.stdint cimport uint8_t

from ticker.shm.bars.published cimport BarRecord


# What a field of a form tells. A value that is not there leaves its field out.
cpdef enum OfBar:
    OF_OPEN = 0
    OF_HIGH
    OF_LOW
    OF_CLOSE
    OF_VOLUME
    OF_WHOLE_VOLUME              # without the fraction of a share
    OF_FRACTIONAL_VOLUME         # the whole volume as text, where the venue has fractions
    OF_TRADES
    OF_VWAP
    OF_AVERAGE_SIZE              # whole shares of a trade
    OF_START
    OF_END


cdef int bar_form(
    uint8_t* out, int encoding, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil
