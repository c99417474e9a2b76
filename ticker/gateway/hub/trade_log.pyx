"""The last trades of the symbols that a client watches trade by trade, and what became of them.

Law: one bounded log for all symbols and clients, the oldest entry overwritten first. A client is
only the version of the last trade that it was sent: nothing is queued for a client, and a client that
comes too late for an entry is told how many are gone (`lagged`).
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.layout cimport Record


cdef class TradeLog:
    """Room for `capacity` trades."""

    def __cinit__(self, capacity: int) -> None:
        self.capacity = capacity
        # calloc: costs memory as trades come
        self.trades = <Trade*>PyMem_RawCalloc(capacity, sizeof(Trade))
        self.found = <uint32_t*>PyMem_RawCalloc(capacity, sizeof(uint32_t))
        if not (self.trades and self.found):
            raise MemoryError

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.trades)
        PyMem_RawFree(self.tails)
        PyMem_RawFree(self.found)

    cdef int grow(self, uint32_t symbols) except -1:
        """Room for symbols below this number."""
        cdef uint64_t* grown
        if symbols <= self.symbol_capacity:
            return 0
        grown = <uint64_t*>PyMem_RawRealloc(self.tails, symbols * sizeof(uint64_t))
        if grown == NULL:
            raise MemoryError
        memset(grown + self.symbol_capacity, 0, (symbols - self.symbol_capacity) * sizeof(uint64_t))
        self.tails = grown
        self.symbol_capacity = symbols
        return 0

    cdef Trade* append(self, uint32_t symbol, uint32_t feed, const Record* record) noexcept nogil:
        """A new entry of a symbol with what the record says; `message`, `seq` and `version` are
        the caller's to fill."""
        cdef Trade* trade
        self.count += 1
        trade = self.trades + self.count % self.capacity
        trade.number = self.count
        trade.previous = self.tails[symbol]
        trade.symbol = symbol
        trade.feed = feed
        trade.row = record.row
        trade.price = record.price
        trade.time = record.exchange_time
        trade.publish_time = record.publish_time
        trade.size = record.size
        trade.trade_id = record.match
        trade.new_trade_id = trade.ineligible = 0
        trade.conditions = record.conditions
        self.tails[symbol] = self.count
        return trade

    cdef const Trade* before(self, const Trade* trade) noexcept nogil:
        """The print that a correction is of, as it was until then; NULL: it is kept no longer."""
        cdef uint64_t number = trade.previous
        cdef const Trade* found
        while number and number + self.capacity > self.count:
            found = self.trades + number % self.capacity
            if found.feed == trade.feed and found.row == trade.row and (
                found.new_trade_id or found.trade_id
            ) == trade.trade_id:
                return found
            number = found.previous
        return NULL

    cdef uint32_t find(self, uint32_t symbol, uint32_t seen) noexcept nogil:
        """The places of the entries that came after version `seen` into `found`, the newest
        first; how many."""
        cdef uint64_t number = self.tails[symbol]
        cdef uint32_t count = 0
        cdef Trade* trade
        while number and number + self.capacity > self.count:
            trade = self.trades + number % self.capacity
            if <int32_t>(trade.version - seen) <= 0:
                break
            self.found[count] = <uint32_t>(number % self.capacity)
            count += 1
            number = trade.previous
        return count
