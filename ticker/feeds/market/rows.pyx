"""The rows of a feed's instruments: which symbol has which, and what is not a price or a trade.

Law: as in market.pyx, whose member this is.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, strcmp

from ticker.checks cimport check
from ticker.feeds.market.directory cimport ROW_REFUSED, row_of
from ticker.feeds.market.publisher cimport DIRTY_DAY, DIRTY_ROW, DIRTY_STATUS, Entry, mark_dirty
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport FEED_LONG_SYMBOLS, FEED_STATUS_CHANGES, FEED_TABLE_FULL, count
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    ROW_HAS_HIGH_LOW,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_LISTED,
    ROW_TEST,
    STATUS_TRADING,
    SYMBOL_BYTES,
    Values,
)

from ticker.errors import FeedError
from ticker.symbology import SYMBOLOGIES, canonical, is_test_issue


cdef class Rows:
    """The rows of the feed whose segment `mapping` is.

    Args:
        venue: ISO 10383 MIC of rows that messages name no other for.
        currency: ISO 4217, of their prices.
        ringer: rings the gateways after each flush that changed something.
        size_exponent: sizes are in units of 10^-this.
        symbology: how the feed writes symbols (symbology.py).

    Raises:
        FeedError: no such symbology.
    """

    def __cinit__(
        self, Mapping mapping not None, str venue, str currency, DoorbellRinger ringer,
        uint64_t size_exponent, str symbology,
    ) -> None:
        if symbology not in SYMBOLOGIES:
            raise FeedError(f"symbology {symbology!r}: one of {', '.join(SYMBOLOGIES)}")
        self.mapping = mapping
        self.counters = mapping.counters
        self.publisher = Publisher(mapping, ringer)
        self.directory = Directory(self.publisher.table)
        self.venue = VenueState(mapping)
        self.venue_text = venue.encode("ascii")
        self.currency_text = currency.encode("ascii")
        self.venue_code = self.venue_text
        self.currency_code = self.currency_text
        self.size_exponent = size_exponent
        self.symbology = symbology
        self.renames = symbology != "none"
        self.least_price = 1
        self.first_midnight = INT64_MIN
        self.day_end = self.next_look = INT64_MAX

    cdef void reach(self, int64_t time) noexcept nogil:
        with gil:
            self.day_end = self.watch.reach(time)

    cdef void begin_day(self, int64_t midnight) noexcept nogil:
        if self.midnight and midnight > self.midnight:
            self.first_midnight = midnight
        self.midnight = midnight

    cdef int32_t define(self, uint64_t key, const char* symbol, size_t length) noexcept nogil:
        """The instrument of a symbol, known from now on by the feed's number `key`. Its row has
        the symbol's canonical form."""
        return self.define_on(key, symbol, length, self.venue_code)

    cdef int32_t define_on(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil:
        cdef char[SYMBOL_BYTES] text
        cdef int64_t row
        if self.renames:
            length = self._canonical(symbol, length, text)
            symbol = text
        if not 0 < length < SYMBOL_BYTES:
            count(self.counters, FEED_LONG_SYMBOLS, 1)
            self.directory.bind(key, ROW_REFUSED)
            return -1
        row = self.directory.row_on_venue(symbol, length, venue)
        if row >= 0:
            store_relaxed(&self.publisher.table.rows[row].instrument_key, key)
        else:
            row = self._new_row(key, symbol, length, venue)
            if row < 0:
                count(self.counters, FEED_TABLE_FULL, 1)
                self.directory.bind(key, ROW_REFUSED)
                return -1
        self.directory.bind(key, <int32_t>row)
        return <int32_t>row

    cdef int64_t _new_row(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil:
        cdef int64_t row = self.publisher.append(
            symbol, length, venue, self.currency_code, self.size_exponent, key
        )
        if row < 0:
            return -1
        self.directory.enter(<int32_t>row)
        self.publisher.entries[row].values.session_start = self.midnight
        mark_dirty(self.publisher, <uint32_t>row, DIRTY_ROW)
        if names_test(symbol, length):
            self.set_test(<int32_t>row, True)
        return row

    cdef size_t _canonical(
        self, const char* symbol, size_t length, char* out
    ) noexcept nogil:
        """The canonical form of a symbol into `out`; its length, 0: it has no room there."""
        cdef size_t i
        for i in range(length):
            if not (c"A" <= symbol[i] <= c"Z" or c"0" <= symbol[i] <= c"9"):
                break
        else:
            if length >= SYMBOL_BYTES:
                return 0
            memcpy(out, symbol, length)
            return length
        return respell(self.symbology, symbol, length, out)

    cdef void set_test(self, int32_t instrument, bint test) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef uint64_t flags = (values.flags | ROW_TEST) if test else (values.flags & ~ROW_TEST)
        if flags != values.flags:
            values.flags = flags
            mark_dirty(self.publisher, <uint32_t>instrument, DIRTY_STATUS)

    cdef void set_listing(self, int32_t instrument, const char* venue) noexcept nogil:
        """Where it is this feed's own venue, the row's close and state are the official ones."""
        cdef bint listed = venue != NULL and strcmp(venue, self.venue_code) == 0
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef uint64_t flags = values.flags & ~<uint64_t>ROW_LISTED
        flags |= ROW_LISTED if listed else 0
        if flags != values.flags:
            values.flags = flags
            mark_dirty(self.publisher, <uint32_t>instrument, DIRTY_ROW)

    cdef void set_previous_close(self, int32_t instrument, int64_t price) noexcept nogil:
        """Of the day before, as the feed says it."""
        cdef Values* values = &self.publisher.entries[instrument].values
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if self.is_price(price) and (
            values.previous_close != price or not values.flags & ROW_HAS_PREVIOUS_CLOSE
        ):
            values.previous_close = price
            values.flags |= ROW_HAS_PREVIOUS_CLOSE
            mark_dirty(self.publisher, <uint32_t>instrument, DIRTY_ROW | DIRTY_DAY)

    cdef void set_high(self, int32_t instrument, int64_t price, int64_t time) noexcept nogil:
        cdef const Values* values = &self.publisher.entries[instrument].values
        cdef bint known = values.flags & ROW_HAS_HIGH_LOW and values.low < price
        self._set_range(instrument, price, values.low if known else price, time)

    cdef void set_low(self, int32_t instrument, int64_t price, int64_t time) noexcept nogil:
        cdef const Values* values = &self.publisher.entries[instrument].values
        cdef bint known = values.flags & ROW_HAS_HIGH_LOW and values.high > price
        self._set_range(instrument, values.high if known else price, price, time)

    cdef void _set_range(
        self, int32_t instrument, int64_t high, int64_t low, int64_t time
    ) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if not (self.is_price(high) and self.is_price(low)) or (
            values.flags & ROW_HAS_HIGH_LOW and values.high == high and values.low == low
        ):
            return
        values.high = high
        values.low = low
        values.flags |= ROW_HAS_HIGH_LOW
        self.touch(<uint32_t>instrument, DIRTY_ROW | DIRTY_DAY, time)

    cdef void set_status(self, int32_t instrument, uint64_t status, int64_t time) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        check(0 <= instrument < <int32_t>self.publisher.table.used)
        if status == STATUS_TRADING and self.venue.breaker:
            # While a breaker is in force nothing trades; the first to resume says that it is over.
            self.venue.set_breaker(0, time)
        if values.status != status:
            values.status = status
            count(self.counters, FEED_STATUS_CHANGES, 1)
            self.touch(<uint32_t>instrument, DIRTY_STATUS, time)

    cdef void set_status_all(self, uint64_t status, int64_t time) noexcept nogil:
        cdef uint32_t row
        for row in range(self.publisher.table.used):
            self.set_status(<int32_t>row, status, time)


cdef size_t respell(
    str symbology, const char* symbol, size_t length, char* out
) noexcept with gil:
    """Rows._canonical of a symbol that has more than letters and digits: once for each."""
    cdef bytes found = canonical(symbol[:length].decode("latin-1"), symbology).encode("latin-1")
    length = len(found)
    if length >= SYMBOL_BYTES:
        return 0
    memcpy(out, <const char*>found, length)
    return length


cdef bint names_test(const char* symbol, size_t length) noexcept with gil:
    return is_test_issue(symbol[:length].decode("latin-1"))
