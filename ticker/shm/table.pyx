"""The price table: one row per symbol, one writer, any number of readers that never wait.

Law: the writer fills the copy that is not current, then makes it current. A reader is right
when the writer did not come round to its copy again while it copied (layout.pxd has the
picture, table.pxd the memory order); a writer that died inside a row leaves the current copy
whole. A reader so never waits for a writer: it copies again only when a row was published
twice within one copy of 256 bytes.
Source: the latch variant of the seqlock (Linux, include/linux/seqlock.h, seqcount_latch_t),
with the memory order of H.-J. Boehm, "Can seqlocks get along with programming language
memory models?", MSPC 2012.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.shm.atomics cimport (
    copy_words_in,
    fence_release,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    BODY_OFFSET,
    COMMON_WORDS,
    CURRENCY_BYTES,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_EXTENDED,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OFFICIAL_OPEN,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_HAS_REGULAR,
    SYMBOL_BYTES,
    VALUE_WORDS,
    VENUE_BYTES,
    FeedState,
    Row,
    RowRest,
    Values,
)

from ticker.units cimport MAX_SIZE_EXPONENT

from ticker.errors import SegmentError

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    READ_ATTEMPTS = 1000


cdef tuple names_of_values():
    """(the names of the row's values in the order of their words, those of them that are signed),
    read from the struct itself."""
    cdef Values probe
    cdef uint64_t* words = <uint64_t*>&probe
    cdef int index
    for index in range(<int>VALUE_WORDS):
        words[index] = index
    places = dict(probe)
    places.pop("reserved")
    for index in range(<int>VALUE_WORDS):
        words[index] = <uint64_t>-1
    wide = dict(probe)
    if sizeof(Values) != 8 * VALUE_WORDS or list(places.values()) != list(range(len(places))):
        raise ImportError("Values (layout.pxd): VALUE_WORDS words, `reserved` the last of them")
    return tuple(places), frozenset([name for name in places if wide[name] < 0])


FIELDS, SIGNED = names_of_values()
_INDEX = {name: index for index, name in enumerate(FIELDS)}
# The flag that says that there is such a price.
HAS = {
    "price": ROW_HAS_LAST, "open": ROW_HAS_OPEN, "high": ROW_HAS_HIGH_LOW,
    "low": ROW_HAS_HIGH_LOW, "previous_close": ROW_HAS_PREVIOUS_CLOSE, "bid": ROW_HAS_BID,
    "ask": ROW_HAS_ASK, "extended_price": ROW_HAS_EXTENDED,
    "official_open": ROW_HAS_OFFICIAL_OPEN, "official_close": ROW_HAS_OFFICIAL_CLOSE,
    "regular_price": ROW_HAS_REGULAR,
}


def volume_of(values: dict[str, int]) -> int:
    """The whole volume of what PriceTable.values says, in 10^-size_exponent units."""
    return values["volume_high"] << 64 | values["volume"]


cdef bint is_symbol(const char* symbol, size_t length) noexcept nogil:
    cdef size_t i
    if not 0 < length < SYMBOL_BYTES:
        return False
    for i in range(length):
        if not 32 <= symbol[i] <= 126:
            return False
    return True


cdef dict by_name(const Values* values):
    """All values of a row by name."""
    cdef const uint64_t* words = <const uint64_t*>values
    cdef uint64_t word
    found = {}
    for index, name in enumerate(FIELDS):
        word = words[index]
        found[name] = <int64_t>word if name in SIGNED else word
    return found


cdef class PriceTable:
    """Reads rows. `mapping` may be read-only."""

    def __cinit__(self, Mapping mapping not None, *_: object) -> None:
        self.mapping = mapping
        self.state = mapping.feed_state()
        self.rows = <Row*>(mapping.base + BODY_OFFSET)
        self.capacity = <uint32_t>mapping.header.row_capacity
        self.rests = <RowRest*>(self.rows + self.capacity)

    cdef uint32_t row_count(self) noexcept nogil:
        """Rows that are whole: a reader that saw n may read rows 0 to n-1 for ever."""
        return <uint32_t>load_acquire(&self.state.row_count)

    cdef int read(self, uint32_t row, Values* out) noexcept nogil:
        """Copy the current values of a row.

        Returns the retries it took, or -1 when the writer outran READ_ATTEMPTS copies; `out`
        is then not to be used and the caller keeps what it read last.
        """
        assert row < self.capacity
        cdef Row* source = self.rows + row
        cdef uint64_t generation
        cdef int attempt
        for attempt in range(READ_ATTEMPTS):
            generation = begin_read(source)
            copy_out(source, self.rests + row, generation, <uint64_t*>out)
            if was_whole(source, generation):
                return attempt
        return -1

    def __len__(self) -> int:
        return self.row_count()

    def symbol(self, row: int) -> str:
        """The row's own symbol; it never changes."""
        cdef Row* found = self._checked(row)
        return found.symbol[:strnlen(found.symbol, SYMBOL_BYTES)].decode()

    def venue(self, row: int) -> str:
        """The row's venue, an ISO 10383 MIC."""
        cdef Row* found = self._checked(row)
        return found.venue[:strnlen(found.venue, VENUE_BYTES)].decode()

    def currency(self, row: int) -> str:
        """The currency of the row's prices, ISO 4217."""
        cdef Row* found = self._checked(row)
        return found.currency[:strnlen(found.currency, CURRENCY_BYTES)].decode()

    def size_exponent(self, row: int) -> int:
        """Sizes and volumes of the row are in units of 10^-this."""
        return self._checked(row).size_exponent

    def instrument_key(self, row: int) -> int:
        """The feed's own number of the instrument, as the writer stored it."""
        return self._checked(row).instrument_key

    def generation(self, row: int) -> int:
        """Twice the publications of the row (repairs count as one); odd while one is under way
        or was cut off. Never goes back."""
        return load_acquire(&self._checked(row).generation)

    def values(self, row: int) -> dict[str, int] | None:
        """All values of a row by name (layout.pxd: Values), None when the writer outran us."""
        cdef Values out
        self._checked(row)
        return None if self.read(row, &out) < 0 else by_name(&out)

    cdef Row* _checked(self, object row) except NULL:
        if not 0 <= row < self.row_count():
            raise IndexError(f"row {row}: the table has {self.row_count()} rows")
        return self.rows + <uint32_t>row


cdef class TableWriter(PriceTable):
    """The single writer. Making one takes the table over and repairs what its predecessor,
    killed inside a row, left odd; `repaired` counts those rows."""

    def __cinit__(self, Mapping mapping not None) -> None:
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.used = self.row_count()
        cdef uint32_t row
        for row in range(self.used):
            self.repaired += self.repair(row)

    cdef bint repair(self, uint32_t row) noexcept nogil:
        """Finish what a killed predecessor began, with the values that were current.

        Forward only: layout.pxd says which reader a generation that went back would deceive.
        """
        cdef Row* target = self.rows + row
        cdef uint64_t generation = load_acquire(&target.generation)
        cdef Values values
        if not generation & 1:
            return False
        # Our stores must not pass the odd generation, which another process stored.
        fence_release()
        copy_out(target, self.rests + row, generation, <uint64_t*>&values)
        copy_words_in(resting_common(target, generation), <uint64_t*>&values, COMMON_WORDS)
        write_rest(self.rests + row, generation, <uint64_t*>&values)
        commit_write(target, generation)
        return True

    cdef int64_t append(
        self, const char* symbol, size_t symbol_length, const char* venue,
        const char* currency, uint64_t size_exponent, uint64_t instrument_key,
    ) noexcept nogil:
        """A new row, visible to readers on return. -1: the table is full, the symbol is not 1
        to SYMBOL_BYTES - 1 printable ASCII characters, or size_exponent is over
        MAX_SIZE_EXPONENT."""
        if self.used >= self.capacity or not is_symbol(symbol, symbol_length):
            return -1
        if size_exponent > MAX_SIZE_EXPONENT:
            return -1
        # Plain stores: no reader takes a row before row_count covers it. One that a predecessor
        # died in is written over.
        cdef Row* row = self.rows + self.used
        memset(row, 0, sizeof(Row))
        memset(self.rests + self.used, 0, sizeof(RowRest))
        memcpy(row.symbol, symbol, symbol_length)
        memcpy(row.venue, venue, strnlen(venue, VENUE_BYTES - 1))
        memcpy(row.currency, currency, strnlen(currency, CURRENCY_BYTES - 1))
        row.size_exponent = size_exponent
        row.instrument_key = instrument_key
        self.used += 1
        store_release(&self.state.row_count, self.used)
        return self.used - 1

    cdef void publish(self, uint32_t row, const Values* values) noexcept nogil:
        """Make `values` the current ones. `row` must come from append or be below row_count."""
        assert row < self.used
        cdef Row* target = self.rows + row
        cdef uint64_t generation = load_relaxed(&target.generation)
        assert not generation & 1
        copy_words_in(begin_write(target, generation), <const uint64_t*>values, COMMON_WORDS)
        write_rest(self.rests + row, generation, <const uint64_t*>values)
        commit_write(target, generation)

    def add(self, symbol: str, venue: str = "", currency: str = "USD", size_exponent: int = 0,
            instrument_key: int = 0) -> int:
        """Append a row from Python; the row's index.

        Raises:
            SegmentError: the table is full, or the symbol does not fit.
        """
        cdef bytes raw = symbol.encode("ascii")
        cdef bytes raw_venue = venue.encode("ascii")
        cdef bytes raw_currency = currency.encode("ascii")
        cdef int64_t row = self.append(
            raw, len(raw), raw_venue, raw_currency, size_exponent, instrument_key
        )
        if row < 0:
            raise SegmentError(
                f"{symbol!r}: no room in a table of {self.capacity} rows, or not 1 to "
                f"{SYMBOL_BYTES - 1} characters of printable ASCII, or size_exponent "
                f"{size_exponent} is over {MAX_SIZE_EXPONENT}; raise `rows` of the feed"
            )
        return row

    def put(self, row: int, **values: int) -> None:
        """Publish a row from Python, the fields not named keeping their values.

        A price other than 0 is there (HAS) because it is named; one of 0 is there if `flags`, named
        too, say so.

        Raises:
            KeyError: no such field (FIELDS has them).
        """
        cdef Values current
        cdef uint64_t* words = <uint64_t*>&current
        self._checked(row)
        if self.read(row, &current) < 0:
            raise SegmentError(f"row {row} has more than one writer")
        for name, value in values.items():
            if name in SIGNED:
                words[<int>_INDEX[name]] = <uint64_t><int64_t>value
            else:
                words[<int>_INDEX[name]] = value
        for name in values.keys() & HAS.keys():
            if values[name]:
                current.flags |= <uint64_t>HAS[name]
            elif "flags" not in values:
                current.flags &= ~<uint64_t>HAS[name]
        self.publish(row, &current)
