"""The price of a synthetic trade follows from its time, so that every reader can check the pair."""

from libc.stdint cimport int64_t

cdef enum:
    LOWEST_CENTS = 10000
    PRICES = 90000


cdef inline int64_t price_of(int64_t exchange_time) noexcept nogil:
    """100.00 to 999.99 in 1e-9 units, by the microsecond of the trade."""
    return (LOWEST_CENTS + exchange_time // 1000 % PRICES) * <int64_t>10000000
