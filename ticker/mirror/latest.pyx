"""`latest:{symbol}` for a Redis: which symbols have news, and the commands that write them.

In: a board, whose look() the caller calls. Out: commands as Redis reads them (RESP2). Pure. The
value is the JSON object of GET /prices/{symbol} with `epoch` behind its fields; a test compares
both. Source of the protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from collections.abc import Collection

from ticker.gateway.prices.board cimport Board, SymbolRows, Verdict
from ticker.gateway.prices.consolidate cimport NO_ROW, Consolidated
from ticker.jsontext cimport put_symbol, put_text
from ticker.shm.atomics cimport load_acquire
from ticker.shm.figures cimport has_traded, put_day, put_price, put_size, put_time, told_time
from ticker.shm.layout cimport (
    CURRENCY_BYTES,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_LAST,
    SYMBOL_BYTES,
    VENUE_BYTES,
    Row,
    Values,
)
from ticker.shm.table cimport PriceTable
from ticker.units cimport write_uint, write_volume

from ticker.shm.layout import TRADING_STATUSES
from ticker.shm.liveness import STATES

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    # News bits
    CHANGED = 1                  # a subscriber is told, too
    MISSING = 2                  # a server that is new to us may lack it, or it may expire soon
    VALUE_ROOM = 4096            # more than an object with all its figures takes
    COMMANDS_ROOM = 4 * VALUE_ROOM
    MOST_CURRENCY = 16

KEY = b"latest:"
cdef list STATE_TEXTS = [state.encode() for state in STATES]
cdef list STATUS_TEXTS = [status.encode() for status in TRADING_STATUSES]


cdef class Latest:
    """Of a board whose feeds stay the same.

    Args:
        epoch: of the server, which is in every object beside `seq`.
        ttl: s for which a key stays in the server after it was written last.
        publishes: whether changed symbols are published in the channel of the key's name, too.
        currency_of: the directory's currency of a symbol; empty: that of its feed.
    """

    def __cinit__(
        self, Board board not None, epoch: int, ttl: int, publishes: bool, currency_of: object
    ) -> None:
        cdef uint32_t feed
        self.board = board
        self.epoch = b'"epoch":%d}' % epoch
        self.ttl = b"$2\r\nEX\r\n$%d\r\n%d\r\n" % (len(str(ttl)), ttl)
        self.refresh_ns = ttl * 1_000_000_000 // 2
        self.publishes = publishes
        self.currency_of = currency_of
        self.feeds = board.feed_count
        self.texts = []
        self.value = <char*>PyMem_Malloc(VALUE_ROOM)
        self.out_room = 2 * <int>COMMANDS_ROOM
        self.out = <char*>PyMem_Malloc(self.out_room)
        self.silent = <bint*>PyMem_Malloc((self.feeds + 1) * sizeof(bint))
        self.generations = <uint64_t**>PyMem_Malloc((self.feeds + 1) * sizeof(uint64_t*))
        if not self.value or not self.out or not self.silent or not self.generations:
            raise MemoryError("no memory for the mirror")
        memset(self.generations, 0, (self.feeds + 1) * sizeof(uint64_t*))
        for feed in range(self.feeds):
            rows = board.table(feed).capacity
            self.generations[feed] = <uint64_t*>PyMem_Malloc(rows * sizeof(uint64_t))
            if not self.generations[feed]:
                raise MemoryError("no memory for the mirror")
            memset(self.generations[feed], 0xFF, rows * sizeof(uint64_t))
            self.silent[feed] = board.conditions.feeds[feed].silent

    def __dealloc__(self) -> None:
        cdef uint32_t feed
        if self.generations != NULL:
            for feed in range(self.feeds):
                PyMem_Free(self.generations[feed])
        PyMem_Free(self.generations)
        PyMem_Free(self.silent)
        PyMem_Free(self.kept)
        PyMem_Free(self.value)
        PyMem_Free(self.out)

    def look(self, now_ns: int, judge: bool) -> None:
        """Look at all rows, and with `judge` at the state of each symbol, which changes with time.
        `now_ns` is of the clock by which keys age."""
        cdef uint32_t feed, symbol
        cdef int64_t now = now_ns
        self._grow()
        for feed in range(self.feeds):
            self._look_at(feed)
        if not judge:
            return
        self._judge()
        for symbol in range(self.known):
            if self.kept[symbol].there and now - self.kept[symbol].written_ns > self.refresh_ns:
                self.kept[symbol].news |= MISSING

    def renew(self) -> None:
        """The server may have nothing of what was written."""
        cdef uint32_t symbol
        for symbol in range(self.known):
            self.kept[symbol].news |= MISSING

    def due(self) -> list[int]:
        """Numbers of the symbols that are to be written."""
        cdef uint32_t symbol
        return [symbol for symbol in range(self.known) if self.kept[symbol].news]

    @property
    def keys(self) -> int:
        """How many symbols the server should have."""
        cdef uint32_t symbol
        return sum([self.kept[symbol].there for symbol in range(self.known)])

    def oldest(self) -> int:
        """Number of the symbol that was written the longest time ago; -1: none was."""
        cdef uint32_t symbol
        cdef int64_t found = -1
        for symbol in range(self.known):
            if self.kept[symbol].there and (
                found < 0 or self.kept[symbol].written_ns < self.kept[found].written_ns
            ):
                found = symbol
        return found

    def commands(self, symbols: list[int]) -> tuple[memoryview, list[tuple[int, int]]]:
        """The commands of these symbols, and for each one its symbol and what the symbol had as
        news, for `failed`. They count as written now; one that never traded has none. The commands
        stay as they are until this is called again."""
        cdef list told = []
        cdef uint32_t symbol
        cdef uint8_t news
        cdef int length
        cdef int at = 0
        for number in symbols:
            symbol = number
            news = self.kept[symbol].news
            self.kept[symbol].news = 0
            length = self._write(symbol)
            if length < 0:
                self.kept[symbol].news = news  # the writer outran us: the next time
            if length <= 0:
                continue
            self._make_room(at)
            at = put_text(self.out, at, b"*5\r\n$3\r\nSET\r\n")
            at = self._command(at, symbol, length, self.ttl)
            told.append((symbol, news))
            if self.publishes and news & CHANGED:
                at = put_text(self.out, at, b"*3\r\n$7\r\nPUBLISH\r\n")
                at = self._command(at, symbol, length, b"")
                told.append((symbol, news))
        return PyMemoryView_FromMemory(self.out, at, PyBUF_READ), told

    cdef int _make_room(self, int at) except -1:
        """For the commands of one symbol behind `at`."""
        cdef char* grown
        if at + <int>COMMANDS_ROOM > self.out_room:
            grown = <char*>PyMem_Realloc(self.out, 2 * self.out_room)
            if not grown:
                raise MemoryError("no memory for the mirror")
            self.out = grown
            self.out_room *= 2
        return 0

    def settle(
        self, told: list[tuple[int, int]], refused: Collection[int], now_ns: int
    ) -> tuple[int, int]:
        """The server has done the commands that were `told`, but for those with the numbers in
        `refused`; how many symbols it has, and how many it published."""
        cdef int64_t now = now_ns
        cdef uint32_t symbol
        cdef int64_t last = -1
        cdef int wrote = 0
        cdef int published = 0
        cdef bint some = len(refused) > 0
        for number, (place, news) in enumerate(told):
            symbol = place
            if some and number in refused:
                self._of(symbol).news |= <uint32_t>news
            elif symbol == last:
                published += 1
            else:
                self._of(symbol).there = True
                self.kept[symbol].written_ns = now
                wrote += 1
            last = symbol
        return wrote, published

    def took(self, symbol: int, now_ns: int) -> None:
        """The server has the symbol."""
        self._of(symbol).there = True
        self._of(symbol).written_ns = now_ns

    def failed(self, symbol: int, news: int) -> None:
        """The server did not take a command of the symbol, so its news are still due."""
        self._of(symbol).news |= <uint32_t>news

    def key(self, symbol: int) -> bytes:
        """The key of a symbol."""
        return KEY + self.board.name(symbol).encode()

    def value_of(self, symbol: int) -> bytes:
        """The object of a symbol; empty: it never traded."""
        self._of(symbol)
        cdef int length = self._write(symbol)
        return PyBytes_FromStringAndSize(self.value, max(length, 0))

    cdef Kept* _of(self, uint32_t symbol) except NULL:
        if symbol >= self.known:
            raise IndexError(f"symbol {symbol}: {self.known} are known")
        return self.kept + symbol

    cdef int _grow(self) except -1:
        """A place for each symbol that the board has learnt."""
        cdef Kept* grown
        cdef uint32_t count = self.board.count
        if count > self.room:
            grown = <Kept*>PyMem_Realloc(self.kept, 2 * count * sizeof(Kept))
            if not grown:
                raise MemoryError("no memory for the mirror")
            self.kept = grown
            self.room = 2 * count
        while len(self.texts) < <Py_ssize_t>count:
            self._learn_texts(<uint32_t>len(self.texts))
        if count > self.known:
            memset(self.kept + self.known, 0, (count - self.known) * sizeof(Kept))
            self.known = count
        return 0

    cdef int _learn_texts(self, uint32_t symbol) except -1:
        """What stands in every object and command of the symbol."""
        cdef char[32 + 6 * SYMBOL_BYTES] start
        name = self.board.name(symbol)
        key = KEY + name.encode()
        text = name.encode()
        at = put_text(start, 0, b'{"symbol":"')
        at = put_symbol(start, at, text, len(text))
        listed = self.currency_of(name)
        self.texts.append((
            b"$%d\r\n%b\r\n$" % (len(key), key), start[:at],
            listed.encode()[:MOST_CURRENCY] if listed else b"",
        ))
        return 0

    cdef int _look_at(self, uint32_t feed) except -1:
        """The rows of a feed that were written since; all of them, if its worker came or went."""
        cdef Row* rows = self.board.table(feed).rows
        cdef uint64_t generation
        cdef uint32_t row, symbol
        cdef bint silent = self.board.conditions.feeds[feed].silent
        cdef bint turned = silent != self.silent[feed]
        self.silent[feed] = silent
        for row in range(self.board.rows_known[feed]):
            generation = load_acquire(&rows[row].generation)
            if generation == self.generations[feed][row] and not turned:
                continue
            self.generations[feed][row] = generation
            symbol = self.board.row_symbols[feed][row]
            if symbol < self.known:  # not NO_PART
                self.kept[symbol].news |= CHANGED
        return 0

    cdef int _judge(self) except -1:
        """The symbols whose state has changed, as that of a quiet one does by itself."""
        cdef uint32_t symbol
        cdef Verdict verdict
        cdef Kept* kept
        for symbol in range(self.known):
            kept = self.kept + symbol
            verdict = self.board.verdict(symbol)
            if kept.state != verdict.state or kept.stale != verdict.stale:
                kept.state = verdict.state
                kept.stale = verdict.stale
                kept.news |= CHANGED
        return 0

    cdef int _command(self, int at, uint32_t symbol, int length, bytes end) except -1:
        """The key, the value and `end` as the arguments of a command."""
        at = put_text(self.out, at, <bytes>(<tuple>self.texts[symbol])[0])
        at += write_uint(self.out + at, length)
        at = put_text(self.out, at, b"\r\n")
        memcpy(self.out + at, self.value, length)
        at = put_text(self.out, at + length, b"\r\n")
        return put_text(self.out, at, end)

    cdef int _write(self, uint32_t symbol) except? -2:
        """The object of a symbol into `value`; its length, 0: it never traded, -1: no row could be
        read whole."""
        cdef Consolidated found
        cdef Verdict verdict
        cdef Values* values = &found.values
        cdef SymbolRows* entry = self.board.rows + symbol
        cdef bytes text
        cdef char* out = self.value
        cdef int at
        if not entry.count:
            return 0
        if not self.board.read_all(symbol, &found):
            return -1
        if not has_traded(values):
            return 0
        verdict = self.board.verdict(symbol)
        at = put_text(out, 0, <bytes>(<tuple>self.texts[symbol])[1])
        at = put_price(out, at, b'","price":', values.price, values.flags & ROW_HAS_LAST != 0)
        at = put_text(out, at, b',"currency":"')
        text = <bytes>(<tuple>self.texts[symbol])[2]
        if text:
            at = put_symbol(out, at, text, len(text))
        else:
            at = self._put(out, at, symbol, found.first, True)
        at = put_time(out, at, b'","exchange_timestamp":', told_time(values))
        at = put_time(
            out, at, b',"server_timestamp":', values.receive_time or values.publish_time
        )
        at = put_size(
            out, at, b',"size":', values.size, found.size_exponent, values.flags & ROW_HAS_LAST != 0
        )
        at = self._put_venue(
            out, at, b',"venue":', symbol, found.last if found.last != NO_ROW else found.first
        )
        at = put_text(out, at, b',"volume":')
        at += write_volume(out + at, values.volume_high, values.volume, found.size_exponent)
        at = put_text(out, at, b',"trades":')
        at += write_uint(out + at, values.trades)
        at = put_day(out, at, values)
        at = put_price(out, at, b',"bid":', values.bid, values.flags & ROW_HAS_BID != 0)
        at = put_size(
            out, at, b',"bid_size":', values.bid_size, found.size_exponent,
            values.flags & ROW_HAS_BID != 0,
        )
        at = self._put_venue(out, at, b',"bid_venue":', symbol, found.bid)
        at = put_price(out, at, b',"ask":', values.ask, values.flags & ROW_HAS_ASK != 0)
        at = put_size(
            out, at, b',"ask_size":', values.ask_size, found.size_exponent,
            values.flags & ROW_HAS_ASK != 0,
        )
        at = self._put_venue(out, at, b',"ask_venue":', symbol, found.ask)
        at = put_text(out, at, b',"seq":')
        at += write_uint(out + at, values.seq)
        at = put_text(out, at, b',"status":"')
        at = put_text(out, at, <bytes>STATE_TEXTS[<int>verdict.state])
        at = put_text(out, at, b'","stale":true' if verdict.stale else b'","stale":false')
        at = put_text(out, at, b',"trading_status":"')
        at = put_text(out, at, <bytes>STATUS_TEXTS[<int>values.status])
        at = put_text(out, at, b'",')
        return put_text(out, at, self.epoch)

    cdef int _put(self, char* out, int at, uint32_t symbol, uint32_t number, bint currency) except -1:
        """The venue or the currency of one of the symbol's rows."""
        cdef Row* row = self._row(symbol, number)
        if currency:
            return put_symbol(out, at, row.currency, strnlen(row.currency, CURRENCY_BYTES))
        return put_symbol(out, at, row.venue, strnlen(row.venue, VENUE_BYTES))

    cdef int _put_venue(
        self, char* out, int at, const char* name, uint32_t symbol, uint32_t number
    ) except -1:
        """NO_ROW: of none."""
        at = put_text(out, at, name)
        if number == NO_ROW or not self._row(symbol, number).venue[0]:
            return put_text(out, at, b"null")
        at = put_text(out, at, b'"')
        at = self._put(out, at, symbol, number, False)
        return put_text(out, at, b'"')

    cdef Row* _row(self, uint32_t symbol, uint32_t number) except NULL:
        cdef PriceTable table = self.board.table(self.board.rows[symbol].rows[number].feed)
        return table.rows + self.board.rows[symbol].rows[number].row
