"""The filter: rejects trades that cannot be true. Nothing is rejected in silence: each reason
has its counter, and its last KEPT_REJECTS trades are kept.

Rules, in this order; a trade is counted under the first that it breaks:

    bad_size     no shares, and yet it counts for volume
    bad_price    0 or less, or above the greatest price that the protocol can mean
    duplicate    its match number is one of the instrument's last RECENT_MATCHES
    older        it would set the last price, and happened before the last sale
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.feeds.checks cimport check
from ticker.feeds.trades cimport TRADE_COUNTS_VOLUME, TRADE_SETS_LAST
from ticker.shm.counters cimport FEED_REJECTED_DUPLICATE, count
from ticker.shm.header cimport Mapping

REASONS = ("duplicate", "bad_price", "bad_size", "older")


cdef class Filter:
    """Filters the trades of `instruments` instruments; counts in the segment of `mapping`."""

    def __cinit__(self, Mapping mapping not None, instruments: int, max_price: int) -> None:
        self.counters = mapping.counters
        self.instruments = instruments
        self.max_price = max_price
        self.recent = <Recent*>calloc(self.instruments, sizeof(Recent))
        if self.recent == NULL:
            raise MemoryError("no memory for the filter")

    def __dealloc__(self) -> None:
        free(self.recent)

    cdef bint accept(
        self, uint32_t instrument, const Values* values, int64_t price, uint64_t size,
        uint64_t match, uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        """Whether this trade counts. `values`: the instrument's, before the trade."""
        cdef int reason = REJECT_NONE
        cdef RejectLog* log
        cdef Reject* reject
        check(instrument < self.instruments)
        if not size and flags & TRADE_COUNTS_VOLUME:
            reason = REJECT_BAD_SIZE
        elif price <= 0 or price > self.max_price:
            reason = REJECT_BAD_PRICE
        elif match and self._seen(instrument, match):
            reason = REJECT_DUPLICATE
        elif flags & TRADE_SETS_LAST and exchange_time < values.exchange_time:
            reason = REJECT_OLDER
        else:
            return True
        count(self.counters, <unsigned>(FEED_REJECTED_DUPLICATE + reason), 1)
        log = &self.logs[reason]
        reject = &log.last[log.count % KEPT_REJECTS]
        log.count += 1
        reject.instrument = instrument
        reject.price = price
        reject.size = size
        reject.exchange_time = exchange_time
        reject.receive_time = receive_time
        return False

    cdef void forget(self) noexcept nogil:
        """A new session: its match numbers start over."""
        memset(self.recent, 0, self.instruments * sizeof(Recent))

    cdef bint _seen(self, uint32_t instrument, uint64_t match) noexcept nogil:
        """Whether the instrument had this match number lately; it has from now on."""
        cdef Recent* recent = &self.recent[instrument]
        cdef int i
        for i in range(RECENT_MATCHES):
            if recent.matches[i] == match:
                return True
        recent.matches[recent.next] = match
        recent.next = recent.next + 1 if recent.next + 1 < RECENT_MATCHES else 0
        return False

    def rejected(self, reason: str) -> list[tuple[int, int, int, int, int]]:
        """The last rejects of a reason, oldest first: (instrument, price in 1e-9 units, size,
        exchange time, receive time)."""
        cdef RejectLog* log = &self.logs[<int>REASONS.index(reason)]
        cdef uint64_t number
        cdef Reject* reject
        found = []
        for number in range(log.count - KEPT_REJECTS if log.count > KEPT_REJECTS else 0,
                            log.count):
            reject = &log.last[number % KEPT_REJECTS]
            found.append((
                reject.instrument, reject.price, reject.size, reject.exchange_time,
                reject.receive_time,
            ))
        return found
