"""The board: every symbol of every feed, found by name or number, read as one price.

In: the price tables of all feeds, mapped read-only. Out: consolidated values of a symbol, to the
hub as C, to REST as PriceView. Owned by one gateway worker; shares nothing.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset, strncmp

from ticker.gateway.prices.consolidate cimport NO_ROW, Consolidated, add, begin, finish
from ticker.gateway.prices.view_of cimport view_of
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CURRENCY_BYTES, ROW_LISTED, ROW_STALE, Values
from ticker.shm.liveness cimport (
    LIVENESS_CLOSED,
    LIVENESS_HALTED,
    LIVENESS_PAUSED,
    LIVENESS_STALE,
    Conditions,
    Liveness,
    is_stale,
    liveness_of,
)
from ticker.shm.table cimport PriceTable

from ticker.gateway.prices.view import PriceView
from ticker.shm.liveness import STATES


cdef void* grown(void* array, size_t size) except NULL:
    """The array with room for so many bytes."""
    cdef void* found = PyMem_Realloc(array, size)
    if found == NULL:
        raise MemoryError
    return found


cdef class Board:
    """`feeds`: (name, mapping of its segment) of each feed. Call look() now and then."""

    def __cinit__(self, feeds: list[tuple[str, Mapping]]) -> None:
        self.feed_names = []
        self.tables = []
        self.conditions = Conditions([])
        self.names = []
        self.numbers = {}
        self.gone = {}
        for name, mapping in feeds:
            self.add_feed(name, mapping)

    def add_feed(self, name: str, Mapping mapping not None) -> int:
        """Read a further feed, behind the others; its number."""
        cdef PriceTable table = PriceTable(mapping)
        cdef uint32_t feed = self.feed_count
        self.row_symbols = <uint32_t**>grown(self.row_symbols, (feed + 1) * sizeof(uint32_t*))
        self.rows_known = <uint32_t*>grown(self.rows_known, (feed + 1) * sizeof(uint32_t))
        self.row_symbols[feed] = <uint32_t*>grown(NULL, table.capacity * sizeof(uint32_t))
        self.rows_known[feed] = 0
        self.conditions.add(mapping)
        self.feed_names.append(name)
        self.tables.append(table)
        self.feed_count += 1
        self.refresh()
        return feed

    def remove_feed(self, feed: int) -> list[int]:
        """Read a feed no more; the numbers of the symbols that had rows of it. Its number is not
        given again, and its table stays mapped, as prices that were told name their row."""
        if not 0 <= feed < self.feed_count or self.feed_names[feed] is None:
            raise IndexError(f"feed {feed} is not read")
        cdef uint32_t gone = feed
        cdef uint32_t known = self.rows_known[gone]
        cdef uint32_t row
        symbols = [self.numbers[self.table(gone).symbol(row)] for row in range(known)]
        for number in symbols:
            self._forget(self.rows + <uint32_t>number, gone)
        for row in range(self.table(gone).capacity):
            self.row_symbols[gone][row] = NO_PART
        self.rows_known[gone] = ALL_ROWS
        self.feed_names[gone] = None
        self.symbol_changes += 1
        return symbols

    cdef int _forget(self, SymbolRows* entry, uint32_t feed) except -1:
        """The symbol's rows without those of a feed. What they have counted stays counted."""
        cdef Values values
        cdef uint32_t i
        cdef uint32_t left = 0
        for i in range(entry.count):
            if entry.rows[i].feed != feed:
                entry.rows[left] = entry.rows[i]
                left += 1
            elif self.table(feed).read(entry.rows[i].row, &values) >= 0:
                entry.gone_seq += values.seq
                self.gone.setdefault(self.feed_names[feed], {})[entry - self.rows] = values.seq
        entry.count = left
        return self._agree_on_currency(entry) if left else 0

    def __dealloc__(self) -> None:
        cdef uint32_t i
        if self.row_symbols != NULL:
            for i in range(self.feed_count):
                PyMem_Free(self.row_symbols[i])
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
            self._add_row(table.symbol(at), feed, at)
            at += 1
            self.rows_known[feed] = at
        return 0

    cdef int64_t _add_row(self, str symbol, uint32_t feed, uint32_t row) except -1:
        cdef uint32_t number
        cdef Values values
        found = self.numbers.get(symbol)
        if found is None:
            number = <uint32_t>self._new_symbol(symbol)
        else:
            number = found
        if not self.rows[number].count:
            self.symbol_changes += 1
        self._insert(self.rows + number, feed, row)
        self._agree_on_currency(self.rows + number)
        # A feed that was removed comes again with its rows: they are not to be counted twice, or a
        # gateway that starts later would say less.
        counted = self.gone.get(self.feed_names[feed], {}).pop(number, 0)
        if counted and self.table(feed).read(row, &values) >= 0:
            self.rows[number].gone_seq -= min(<uint64_t>counted, values.seq)
        return number

    cdef RowRef* _insert(self, SymbolRows* entry, uint32_t feed, uint32_t row) except NULL:
        """A place for a row among the symbol's others, behind those of earlier feeds."""
        cdef uint32_t at = entry.count
        cdef RowRef* refs = <RowRef*>grown(entry.rows, (entry.count + 1) * sizeof(RowRef))
        entry.rows = refs
        while at and refs[at - 1].feed > feed:
            refs[at] = refs[at - 1]
            at -= 1
        refs[at].feed = feed
        refs[at].row = row
        refs[at].size_exponent = self.table(feed).rows[row].size_exponent
        entry.count += 1
        return refs + at

    cdef int _agree_on_currency(self, SymbolRows* entry) except -1:
        """Prices in different currencies are no one price: the currency is that of the feed
        named first, and rows in others are seen by themselves only."""
        cdef RowRef* ref
        cdef uint32_t symbol = <uint32_t>(entry - self.rows)
        cdef uint32_t i
        cdef const char* wanted = self.table(entry.rows[0].feed).rows[entry.rows[0].row].currency
        for i in range(entry.count):
            ref = entry.rows + i
            ref.part = strncmp(
                self.table(ref.feed).rows[ref.row].currency, wanted, CURRENCY_BYTES
            ) == 0
            self.row_symbols[ref.feed][ref.row] = symbol if ref.part else NO_PART
        return self._find_shared(entry)

    cdef int _find_shared(self, SymbolRows* entry) except -1:
        """Which of the rows that are part of the price are of one venue."""
        cdef uint32_t i, j
        cdef RowRef* ref
        cdef RowRef* other
        for i in range(entry.count):
            ref = entry.rows + i
            ref.shared = False
            for j in range(entry.count):
                other = entry.rows + j
                if j != i and ref.part and other.part and same_venue(
                    self.table(ref.feed).rows[ref.row].venue,
                    self.table(other.feed).rows[other.row].venue,
                ):
                    ref.shared = True
        return 0

    cdef bint _speaks(self, SymbolRows* entry, uint32_t number):
        """Whether a shared row is the one that speaks for its venue: the first that is not
        stale; if all are, the first."""
        cdef Values row
        cdef uint32_t i
        cdef uint32_t first = NO_ROW
        cdef RowRef* ref
        cdef const char* venue = (
            self.table(entry.rows[number].feed).rows[entry.rows[number].row].venue
        )
        for i in range(entry.count):
            ref = entry.rows + i
            if not ref.part or not same_venue(self.table(ref.feed).rows[ref.row].venue, venue):
                continue
            if not self._read_row(ref, &row):
                continue
            if not row.flags & ROW_STALE:
                return i == number
            if first == NO_ROW:
                first = i
        return first == number

    cdef int64_t _new_symbol(self, str symbol) except -1:
        cdef uint32_t wanted
        if self.count == self.capacity:
            wanted = self.capacity * 2 if self.capacity else 256
            self.rows = <SymbolRows*>grown(self.rows, wanted * sizeof(SymbolRows))
            self.capacity = wanted
        memset(self.rows + self.count, 0, sizeof(SymbolRows))
        self.names.append(symbol)
        self.numbers[symbol] = self.count
        self.count += 1
        return self.count - 1

    cdef bint read_all(self, uint32_t symbol, Consolidated* out):
        """Consolidated values of a symbol, and whose each is: numbers into the symbol's rows, for
        _venue_of. False when no row could be read whole."""
        cdef Values row
        cdef uint32_t i
        cdef bint any = False
        cdef RowRef* ref
        begin(out)
        for i in range(self.rows[symbol].count):
            ref = self.rows[symbol].rows + i
            if ref.part and self._read_row(ref, &row):
                add(
                    out, &row, ref.size_exponent, i,
                    not ref.shared or self._speaks(self.rows + symbol, i),
                )
                any = True
        if any:
            finish(out)
            out.values.seq += self.rows[symbol].gone_seq
        return any

    cdef bint _read_row(self, RowRef* ref, Values* out):
        if self.table(ref.feed).read(ref.row, out) < 0:
            return False
        if self.conditions.feeds[ref.feed].silent:
            out.flags |= ROW_STALE
        return True

    cdef Verdict verdict(self, uint32_t symbol):
        """On a symbol, as of the last look(): the best on its rows. Only the venue that lists a
        symbol halts it everywhere, also where others still print (as consolidate.pyx has it)."""
        cdef Verdict best
        cdef Verdict found
        cdef Liveness halted = LIVENESS_CLOSED
        cdef uint32_t i
        best.state = LIVENESS_CLOSED
        best.stale = True
        best.listed = False
        cdef bint any = False
        for i in range(self.rows[symbol].count):
            if self.rows[symbol].rows[i].part:
                found = self._judge(self.rows[symbol].rows + i)
                best.state = found.state if found.state > best.state else best.state
                best.stale = best.stale and found.stale
                any = True
                if found.listed and (
                    found.state == LIVENESS_HALTED or found.state == LIVENESS_PAUSED
                ):
                    halted = found.state
        if not any:
            best.state = LIVENESS_STALE
        elif halted != LIVENESS_CLOSED:
            best.state = halted
        return best

    cdef Verdict _judge(self, RowRef* ref):
        cdef Verdict found
        cdef Values row
        found.state = LIVENESS_STALE
        found.stale = True
        found.listed = False
        if self.table(ref.feed).read(ref.row, &row) >= 0:
            found.state = liveness_of(
                &self.conditions.feeds[ref.feed], &row, self.conditions.looked_ns
            )
            found.listed = row.flags & ROW_LISTED != 0
            found.stale = is_stale(&self.conditions.feeds[ref.feed], &row)
        return found

    def refresh(self) -> int:
        """Learn the rows that have come since; how many symbols are new."""
        cdef uint32_t before = self.count
        cdef uint32_t feed, known
        for feed in range(self.feed_count):
            known = self.table(feed).row_count()
            if known > self.rows_known[feed]:
                self.learn(feed, known - 1)
        return self.count - before

    def look(
        self, now_ns: int, sessions: list[tuple[int, int, int]] | None = None,
        steady_ns: int | None = None,
    ) -> None:
        """Learn new rows, and what the feeds are in. `sessions` says of each feed what the
        calendar says (Timetable.sessions); `steady_ns` as of Conditions.look."""
        self.refresh()
        self.conditions.look(now_ns, sessions, steady_ns)

    def feeds(self) -> list[tuple[str, str]]:
        """(name, state) of each feed, as of the last look(): live, halted, stale or closed."""
        return [
            (name, self.conditions.state(feed))
            for feed, name in enumerate(self.feed_names) if name is not None
        ]

    def state(self, number: int) -> str:
        """The state of a symbol, as of the last look(): live, quiet, paused, halted, stale or
        closed (shm/liveness.pyx says which goes before which)."""
        if not 0 <= number < self.count:
            raise IndexError(f"symbol {number}: there are {self.count}")
        return STATES[<int>self.verdict(number).state]

    def symbols(self) -> list[str]:
        """The symbols that some feed has, in the order in which they were learnt."""
        cdef uint32_t number
        return [self.names[number] for number in range(self.count) if self.rows[number].count]

    def __len__(self) -> int:
        return self.count

    def index(self, symbol: str) -> int:
        """Number of a symbol, which never changes; -1 when no feed has it."""
        found = self.numbers.get(symbol)
        if found is None or not self.rows[<uint32_t>found].count:
            return -1
        return found

    def index_ever(self, symbol: str) -> int:
        """The same, also of a symbol whose feeds have been removed; -1 when none ever had it."""
        return self.numbers.get(symbol, -1)

    def name(self, number: int) -> str:
        """The symbol with this number."""
        return self.names[number]

    def price(self, symbol: str, venue: str | None = None) -> PriceView | None:
        """A symbol's consolidated values, or one venue's; None: unknown, or not on that venue.

        A view that has not `traded` may still have a quote.
        """
        cdef Consolidated found
        cdef Values values
        cdef uint32_t i
        cdef RowRef* ref
        known = self.numbers.get(symbol)
        if known is None:
            return None
        cdef uint32_t number = known
        if venue is None:
            if not self.read_all(number, &found):
                return None
            return self._view(number, &found, self.verdict(number))
        for i in range(self.rows[number].count):
            ref = self.rows[number].rows + i
            if self.table(ref.feed).venue(ref.row) != venue or (
                ref.shared and not self._speaks(self.rows + number, i)
            ):
                continue
            if self._read_row(ref, &values):
                begin(&found)
                add(&found, &values, ref.size_exponent, i, True)
                finish(&found)
                return self._view(number, &found, self._judge(ref))
        return None

    cdef object _view(self, uint32_t symbol, Consolidated* found, Verdict verdict):
        cdef RowRef* ref = self.rows[symbol].rows + found.first
        return view_of(
            found,
            self.names[symbol],
            self._venue_of(symbol, found.last if found.last != NO_ROW else found.first),
            self.table(ref.feed).currency(ref.row),
            STATES[<int>verdict.state],
            verdict.stale,
            self._venue_of(symbol, found.bid),
            self._venue_of(symbol, found.ask),
        )

    cdef str _venue_of(self, uint32_t symbol, uint32_t number):
        """The venue of one of the symbol's rows; NO_ROW: of none."""
        if number == NO_ROW:
            return ""
        cdef RowRef* ref = self.rows[symbol].rows + number
        return self.table(ref.feed).venue(ref.row)
