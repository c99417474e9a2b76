"""What a trade must be to count, and the last ones that were not."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport Values


cdef enum RejectReason:
    REJECT_NONE = -1
    REJECT_DUPLICATE = 0         # in the order of FEED_REJECTED_* (counters.pxd)
    REJECT_BAD_PRICE
    REJECT_BAD_SIZE
    REJECT_OLDER
    REJECT_REASONS

cdef enum:
    RECENT_MATCHES = 15
    KEPT_REJECTS = 100

cdef struct Recent:
    uint64_t matches[RECENT_MATCHES]
    uint64_t next

cdef struct Reject:
    uint32_t instrument
    int64_t price
    uint64_t size
    int64_t exchange_time
    int64_t receive_time

cdef struct RejectLog:
    uint64_t count
    Reject last[KEPT_REJECTS]


cdef class Filter:
    cdef uint64_t* counters
    cdef Recent* recent          # per instrument
    cdef uint32_t instruments
    cdef readonly int64_t max_price
    cdef RejectLog[<int>REJECT_REASONS] logs

    cdef bint accept(
        self, uint32_t instrument, const Values* values, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef bint _seen(self, uint32_t instrument, uint64_t match) noexcept nogil
