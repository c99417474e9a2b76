"""The board: every symbol of every feed, found by name or number, read as one price.

In: the price tables of all feeds, mapped read-only. Out: consolidated values of a symbol, to the
hub as C, to REST as PriceView. Owned by one gateway worker; shares nothing.
"""

from cpython.mem cimport PyMem_Free, PyMem_RawFree, PyMem_RawRealloc, PyMem_Realloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.gateway.consolidate cimport merge
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    ROW_STALE,
    STATUS_CLOSED,
    STATUS_HALTED,
    STATUS_PAUSED,
    STATUS_QUOTE_ONLY,
    STATUS_TRADING,
    STATUS_UNKNOWN,
    Values,
)
from ticker.shm.table cimport PriceTable

from ticker.gateway.view import PriceView
from ticker.shm.counters import Heartbeat

STATUSES = {
    STATUS_UNKNOWN: "unknown", STATUS_TRADING: "trading", STATUS_HALTED: "halted",
    STATUS_PAUSED: "paused", STATUS_QUOTE_ONLY: "quote_only", STATUS_CLOSED: "closed",
}
HEARTBEAT_TIMEOUT_NS = 3_000_000_000


cdef class Board:
    """`feeds`: (name, mapping of its segment) of each feed. Call look() now and then."""

    def __cinit__(self, feeds: list[tuple[str, Mapping]]) -> None:
        self.feed_names = [name for name, _ in feeds]
        self.tables = [PriceTable(mapping) for _, mapping in feeds]
        self.states = [Heartbeat(mapping) for _, mapping in feeds]
        self.live = [False] * len(feeds)
        self.names = []
        self.numbers = {}
        self.feed_count = len(feeds)
        self.row_symbols = <uint32_t**>PyMem_Realloc(NULL, (len(feeds) + 1) * sizeof(uint32_t*))
        self.rows_known = <uint32_t*>PyMem_Realloc(NULL, (len(feeds) + 1) * sizeof(uint32_t))
        if self.row_symbols == NULL or self.rows_known == NULL:
            raise MemoryError
        memset(self.row_symbols, 0, (len(feeds) + 1) * sizeof(uint32_t*))
        memset(self.rows_known, 0, (len(feeds) + 1) * sizeof(uint32_t))
        cdef uint32_t feed
        for feed in range(self.feed_count):
            self.row_symbols[feed] = <uint32_t*>PyMem_RawRealloc(
                NULL, self.table(feed).capacity * sizeof(uint32_t)
            )
            if self.row_symbols[feed] == NULL:
                raise MemoryError
        self.refresh()

    def __dealloc__(self) -> None:
        cdef uint32_t i
        if self.row_symbols != NULL:
            for i in range(self.feed_count):
                PyMem_RawFree(self.row_symbols[i])
        for i in range(self.count):
            PyMem_Free(self.rows[i].rows)
        PyMem_Free(self.rows)
        PyMem_Free(self.row_symbols)
        PyMem_Free(self.rows_known)

    cdef PriceTable table(self, uint32_t feed):
        return <PriceTable>self.tables[feed]

    cdef uint32_t symbol_of(self, uint32_t feed, uint32_t row) noexcept nogil:
        """Number of the symbol of a row; NO_SYMBOL for a row not learnt yet (call learn)."""
        return self.row_symbols[feed][row] if row < self.rows_known[feed] else NO_SYMBOL

    cdef int learn(self, uint32_t feed, uint32_t row) except -1:
        """Learn all rows of a feed up to `row`."""
        cdef PriceTable table = self.table(feed)
        cdef uint32_t at = self.rows_known[feed]
        while at <= row:
            self.row_symbols[feed][at] = <uint32_t>self._add_row(table.symbol(at), feed, at)
            at += 1
            self.rows_known[feed] = at
        return 0

    cdef int64_t _add_row(self, str symbol, uint32_t feed, uint32_t row) except -1:
        cdef uint32_t number
        cdef SymbolRows* entry
        cdef RowRef* grown
        found = self.numbers.get(symbol)
        if found is None:
            number = <uint32_t>self._new_symbol(symbol)
        else:
            number = found
        entry = self.rows + number
        grown = <RowRef*>PyMem_Realloc(entry.rows, (entry.count + 1) * sizeof(RowRef))
        if grown == NULL:
            raise MemoryError
        entry.rows = grown
        entry.rows[entry.count].feed = feed
        entry.rows[entry.count].row = row
        entry.count += 1
        return number

    cdef int64_t _new_symbol(self, str symbol) except -1:
        cdef SymbolRows* grown
        cdef uint32_t wanted
        if self.count == self.capacity:
            wanted = self.capacity * 2 if self.capacity else 256
            grown = <SymbolRows*>PyMem_Realloc(self.rows, wanted * sizeof(SymbolRows))
            if grown == NULL:
                raise MemoryError
            self.rows = grown
            self.capacity = wanted
        self.rows[self.count].rows = NULL
        self.rows[self.count].count = 0
        self.names.append(symbol)
        self.numbers[symbol] = self.count
        self.count += 1
        return self.count - 1

    cdef bint read(self, uint32_t symbol, Values* out):
        """Consolidated values of a symbol; False when no row could be read whole."""
        cdef Values row
        cdef bint any = False
        cdef uint32_t i
        cdef RowRef* ref
        for i in range(self.rows[symbol].count):
            ref = self.rows[symbol].rows + i
            if not self._read_row(ref, &row):
                continue
            if any:
                merge(out, &row)
            else:
                out[0] = row
                any = True
        return any

    cdef bint _read_row(self, RowRef* ref, Values* out):
        if self.table(ref.feed).read(ref.row, out) < 0:
            return False
        if not self.live[ref.feed]:
            out.flags |= ROW_STALE
        return True

    def refresh(self) -> int:
        """Learn the rows that have come since; how many symbols are new."""
        cdef uint32_t before = self.count
        cdef uint32_t feed, known
        for feed in range(self.feed_count):
            known = self.table(feed).row_count()
            if known > self.rows_known[feed]:
                self.learn(feed, known - 1)
        return self.count - before

    def look(self, now_ns: int) -> None:
        """Learn new rows, and which feeds are live: in state live, with a fresh heartbeat."""
        self.refresh()
        for feed, state in enumerate(self.states):
            self.live[feed] = (
                state.state == "live" and now_ns - state.time_ns < HEARTBEAT_TIMEOUT_NS
            )

    def feeds(self) -> list[tuple[str, bool]]:
        """(name, live) of each feed, as of the last look()."""
        return list(zip(self.feed_names, self.live, strict=True))

    def symbols(self) -> list[str]:
        """All symbols known, in the order in which they were learnt."""
        return list(self.names)

    def __len__(self) -> int:
        return self.count

    def index(self, symbol: str) -> int:
        """Number of a symbol, which never changes; -1 when no feed has it."""
        return self.numbers.get(symbol, -1)

    def name(self, number: int) -> str:
        """The symbol with this number."""
        return self.names[number]

    def price(self, symbol: str, venue: str | None = None) -> PriceView | None:
        """A symbol's consolidated values, or one venue's; None: unknown, or not on that venue.

        A view whose price is 0 has not traded yet.
        """
        cdef Values values
        cdef uint32_t number
        cdef RowRef* ref
        found = self.numbers.get(symbol)
        if found is None:
            return None
        number = found
        cdef uint32_t i
        if venue is None:
            if not self.read(number, &values):
                return None
            return self._view(symbol, self.rows[number].rows, &values)
        for i in range(self.rows[number].count):
            ref = self.rows[number].rows + i
            if self.table(ref.feed).venue(ref.row) == venue and self._read_row(ref, &values):
                return self._view(symbol, ref, &values)
        return None

    cdef object _view(self, str symbol, RowRef* ref, Values* values):
        cdef PriceTable table = self.table(ref.feed)
        return PriceView(
            symbol, self._last_venue(symbol, ref, values), table.currency(ref.row),
            table.size_exponent(ref.row), STATUSES.get(values.status, "unknown"),
            bool(values.flags & ROW_STALE),
            values.price, values.size, values.volume, values.trades, values.seq, values.open,
            values.high, values.low, values.previous_close, values.bid, values.bid_size,
            values.ask, values.ask_size, values.exchange_time, values.receive_time,
            values.publish_time, values.quote_time, values.quotes,
        )

    cdef str _last_venue(self, str symbol, RowRef* ref, Values* values):
        """Venue of the last sale: of the row whose last sale is the consolidated one."""
        cdef Values row
        cdef uint32_t i
        cdef SymbolRows* entry = self.rows + <uint32_t>self.numbers[symbol]
        for i in range(entry.count):
            if (
                self.table(entry.rows[i].feed).read(entry.rows[i].row, &row) >= 0
                and row.exchange_time == values.exchange_time and row.price == values.price
            ):
                return self.table(entry.rows[i].feed).venue(entry.rows[i].row)
        return self.table(ref.feed).venue(ref.row)
