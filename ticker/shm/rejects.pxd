"""The rings of rejected trades; rejects.pyx says the law."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport REJECT_RINGS, Reject, RingHeader, Row


cdef struct RejectRing:
    RingHeader* head
    Reject* slots


cdef inline void write_trade(
    Reject* trade, int64_t price, uint64_t size, uint64_t match, int64_t exchange_time,
    int64_t receive_time,
) noexcept nogil:
    """What the filter was given of a trade; the rest is 0."""
    memset(trade, 0, sizeof(Reject))
    trade.price = price
    trade.size = size
    trade.match = match
    trade.exchange_time = exchange_time
    trade.receive_time = receive_time


@cython.final
cdef class RejectWriter:
    """The one writer of a feed's rejects."""

    cdef Mapping mapping
    cdef Row* rows
    cdef RejectRing[<int>REJECT_RINGS] rings
    cdef uint64_t[<int>REJECT_RINGS] cursors

    # Count a trade of a row under its rule, and keep it.
    cdef void refuse(
        self, int rule, uint32_t row, Reject* trade, int64_t detail, int64_t more
    ) noexcept nogil
    # A jump of a row is held from now on; `good`: the price that it jumped from.
    cdef void hold(self, uint32_t row, Reject* trade, int64_t good) noexcept nogil
    cdef void write(self, int rule, Reject* reject) noexcept nogil
    cdef void _name(self, uint32_t row, Reject* trade, int64_t detail, int64_t more) noexcept nogil
