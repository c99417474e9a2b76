"""Bars in motion: one writer publishes each change, any number of readers follow.

Threads: the store worker writes, each reader belongs to one process. Loss: a reader that is lapped
counts it and goes on at the head; it must then look at the newest bars of its symbols again.
Death: what a writer did not finish was never given; its successor goes on in the same ring.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


from ticker.pages cimport prefetch
from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport BODY_OFFSET, CACHE_LINE, SYMBOL_BYTES

from ticker.errors import SegmentError
from ticker.shm.header import BAR_RECORD_BYTES, BAR_SYMBOL_BYTES, BARS_HEAD_BYTES, KIND_BARS

SPAN_SECONDS = (1, 60, 300, 3600, 86400)
if (len(SPAN_SECONDS), sizeof(BarsHead), sizeof(BarRecord), sizeof(BarSymbol)) != (
    SPANS, BARS_HEAD_BYTES, BAR_RECORD_BYTES, BAR_SYMBOL_BYTES
):
    raise ImportError("ticker/shm/bars/published.pxd and ticker/shm/header.pyx do not agree")


cdef class BarsSegment:
    """A segment of bars, mapped."""

    def __cinit__(self, Mapping mapping not None) -> None:
        if mapping.header.kind != <uint64_t>KIND_BARS:
            raise SegmentError("this is not the segment of bars")
        self.mapping = mapping
        self.head = <BarsHead*>(mapping.base + BODY_OFFSET)
        self.ring = <BarRecord*>(<char*>self.head + sizeof(BarsHead))
        self.mask = mapping.header.ring_capacity - 1
        self.symbols = <BarSymbol*>(self.ring + self.mask + 1)
        self.capacity = <uint32_t>mapping.header.row_capacity

    @property
    def symbol_count(self) -> int:
        """Symbols that have a bar, or had one."""
        return load_acquire(&self.head.symbol_count)

    def name(self, number: int) -> str:
        """A symbol by its number."""
        if not 0 <= number < self.symbol_count:
            raise IndexError(f"symbol {number}: there are {self.symbol_count}")
        cdef BarSymbol* symbol = self.symbols + <uint32_t>number
        return symbol.name[:strnlen(symbol.name, SYMBOL_BYTES)].decode("ascii")


cdef class BarsWriter:
    """Goes on where its predecessor stopped."""

    def __cinit__(self, Mapping mapping not None) -> None:
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.shared = BarsSegment(mapping)
        cdef uint64_t cursor = load_acquire(&self.shared.head.cursor)
        if load_acquire(&self.shared.ring[cursor & self.shared.mask].sequence) == 2 * cursor + 2:
            cursor += 1  # whole, but not counted: readers may have it
            store_release(&self.shared.head.cursor, cursor)
        self.cursor = cursor

    cdef int64_t add_symbol(self, const char* name, size_t length) noexcept:
        """The number of a new symbol; -1: there is no room."""
        cdef uint64_t number = load_relaxed(&self.shared.head.symbol_count)
        cdef BarSymbol* symbol = self.shared.symbols + number
        if number >= self.shared.capacity or length >= SYMBOL_BYTES:
            return -1
        memset(symbol.name, 0, SYMBOL_BYTES)
        memcpy(symbol.name, name, length)
        store_release(&self.shared.head.symbol_count, number + 1)
        return number

    cdef void fetch(self, uint32_t symbol, uint32_t span) noexcept nogil:
        """A symbol's place into the cache, which `publish` will write."""
        cdef const char* place = <const char*>&self.shared.symbols[symbol].newest[span]
        prefetch(place)
        prefetch(place + CACHE_LINE)

    cdef void publish(self, BarRecord* record) noexcept nogil:
        """A bar that has changed: into its symbol's place, if it is not older than the bar there,
        and into the ring. `sequence` is filled in here."""
        self.place(record)
        self._append(record)

    cdef void place(self, const BarRecord* record) noexcept nogil:
        """Into its symbol's place alone: nobody reads the ring."""
        cdef BarRecord* place = &self.shared.symbols[record.symbol].newest[record.span]
        cdef uint64_t sequence = load_relaxed(&place.sequence) & ~<uint64_t>1
        if not sequence or record.start >= place.start:
            store_release(&place.sequence, sequence | 1)
            fence_release()
            copy_words_in(<uint64_t*>place + 1, <const uint64_t*>record + 1, BAR_WORDS - 1)
            store_release(&place.sequence, sequence + 2)

    cdef void look_again(self) noexcept nogil:
        """Tell readers of the ring that places were written beside it."""
        cdef BarRecord record
        memset(&record, 0, sizeof(record))
        record.span = SPANS
        self._append(&record)

    cdef void _append(self, const BarRecord* record) noexcept nogil:
        cdef BarRecord* slot = self.shared.ring + (self.cursor & self.shared.mask)
        store_release(&slot.sequence, 2 * self.cursor + 1)
        fence_release()
        copy_words_in(<uint64_t*>slot + 1, <const uint64_t*>record + 1, BAR_WORDS - 1)
        store_release(&slot.sequence, 2 * self.cursor + 2)
        self.cursor += 1
        store_release(&self.shared.head.cursor, self.cursor)

    def add(self, name: str) -> int:
        """The number of a new symbol, from Python; -1: there is no room."""
        cdef bytes raw = name.encode("ascii")
        return self.add_symbol(raw, len(raw))

    def put(self, symbol: int, span: int, **words: int) -> None:
        """Publish a bar from Python: the words of a BarRecord by their names."""
        cdef BarRecord record = record_of(self.shared, symbol, span, words)
        self.publish(&record)

    def put_quietly(self, symbol: int, span: int, **words: int) -> None:
        """The same while nobody reads the ring."""
        cdef BarRecord record = record_of(self.shared, symbol, span, words)
        self.place(&record)

    def tell(self) -> None:
        """`look_again` from Python."""
        self.look_again()


WORDS = (
    "state", "flags", "size_exponent", "start", "open", "high", "low", "close", "volume", "vwap",
    "trades", "time", "revision", "publish_time",
)  # fmt: skip


cdef BarRecord record_of(BarsSegment shared, object symbol, object span, dict words) except *:
    """A bar of a symbol of `shared` by the names of its words; raises ValueError: it is none."""
    cdef BarRecord record
    memset(&record, 0, sizeof(record))
    given = dict.fromkeys(WORDS, 0) | words
    if len(given) != len(WORDS) or not 0 <= symbol < shared.symbol_count or not 0 <= span < SPANS:
        raise ValueError(f"symbol {symbol}, span {span}, words {sorted(words)}")
    record.symbol, record.span, record.state = symbol, span, given["state"]
    record.flags, record.size_exponent = given["flags"], given["size_exponent"]
    record.start, record.time = given["start"], given["time"]
    record.open, record.high = given["open"], given["high"]
    record.low, record.close = given["low"], given["close"]
    record.volume = given["volume"] & 0xFFFFFFFFFFFFFFFF
    record.volume_high = given["volume"] >> 64
    record.vwap, record.trades = given["vwap"], given["trades"]
    record.revision, record.publish_time = given["revision"], given["publish_time"]
    return record


cdef class BarsReader:
    """Reads from the head on."""

    def __cinit__(self, Mapping mapping not None) -> None:
        self.shared = BarsSegment(mapping)
        self.position = load_acquire(&self.shared.head.cursor)

    cdef bint pending(self) noexcept nogil:
        """Whether `read` has anything to say."""
        return (
            load_acquire(&self.shared.ring[self.position & self.shared.mask].sequence) >= 2 * self.position + 2
        )

    cdef int read(self, BarRecord* out) noexcept nogil:
        """The next record into `out`: 1 given, 0 nothing new, -1 lapped."""
        cdef BarRecord* slot = self.shared.ring + (self.position & self.shared.mask)
        cdef uint64_t whole = 2 * self.position + 2
        cdef uint64_t before = load_acquire(&slot.sequence)
        if before < whole:
            return 0
        if before == whole:
            copy_words_out(<uint64_t*>out, <const uint64_t*>slot, BAR_WORDS)
            fence_acquire()
            if load_relaxed(&slot.sequence) == whole:
                self.position += 1
                return 1
        fence_acquire()
        self.laps += 1
        self.position = load_acquire(&self.shared.head.cursor)
        return -1

    cdef bint newest(self, uint32_t symbol, uint32_t span, BarRecord* out) noexcept nogil:
        """The newest bar of a symbol into `out`; False: there is none, or it is being written."""
        cdef BarRecord* place
        cdef uint64_t before
        cdef int turn
        if symbol >= load_acquire(&self.shared.head.symbol_count) or span >= SPANS:
            return False
        place = &self.shared.symbols[symbol].newest[span]
        for turn in range(100):
            before = load_acquire(&place.sequence)
            if not before:
                return False
            if before & 1:
                continue
            copy_words_out(<uint64_t*>out, <const uint64_t*>place, BAR_WORDS)
            fence_acquire()
            if load_relaxed(&place.sequence) == before:
                return True
        return False

    def take(self, limit: int) -> list[dict[str, int]]:
        """Up to `limit` records as dictionaries; a lap ends the list early (`laps` counts)."""
        cdef BarRecord record
        found = []
        while len(found) < limit and self.read(&record) == 1:
            found.append(in_words(&record))
        return found

    def newest_of(self, symbol: int, span: int) -> dict[str, int] | None:
        """The newest bar of a symbol from Python."""
        cdef BarRecord record
        return in_words(&record) if self.newest(symbol, span, &record) else None


cdef dict in_words(const BarRecord* record):
    return {
        "symbol": record.symbol, "span": record.span, "state": record.state,
        "flags": record.flags, "size_exponent": record.size_exponent, "start": record.start,
        "open": record.open, "high": record.high, "low": record.low, "close": record.close,
        "volume": (<object>record.volume_high << 64) | <object>record.volume,
        "vwap": record.vwap, "trades": record.trades, "time": record.time,
        "revision": record.revision, "publish_time": record.publish_time,
    }
