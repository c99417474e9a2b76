"""The market as one feed sees it: instruments, orders, trades; what decoders call.

Every call pushes scalars: prices in 1e-9 units, sizes in shares, times in ns since the epoch
UTC. Nothing here raises: what cannot be used is counted by its reason (counters.pxd).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.book cimport Book
from ticker.feeds.directory cimport Directory
from ticker.feeds.filter cimport Filter, Held
from ticker.feeds.publisher cimport Entry, Publisher
from ticker.feeds.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_ODD_LOT,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
    Trade,
    TradeLog,
)
from ticker.feeds.venue_state cimport VenueState
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Values


cdef enum Side:
    BID = 0
    ASK = 1


cdef enum:
    ANNOUNCED = 4              # announcements between an instrument's ladders and its levels


cdef class Market:
    cdef Mapping mapping
    cdef uint64_t* counters
    cdef Directory directory
    cdef Book book
    cdef Filter filter
    cdef TradeLog trades
    cdef VenueState venue        # phase of the day and circuit breaker, of all instruments
    cdef Publisher publisher
    cdef Values* carried         # of a rebuild: what each row showed before it, NULL: none
    cdef uint32_t carried_rows
    cdef bytes venue_text
    cdef bytes currency_text
    cdef const char* venue_code
    cdef const char* currency_code
    cdef readonly uint64_t size_exponent
    cdef readonly bint raw
    cdef readonly str symbology
    cdef bint renames            # symbols of the feed may not be the canonical ones
    cdef public int64_t midnight # that the session's day counts from, ns since the epoch
    # Receive time of the message being decoded; a decoder sets it before it calls.
    cdef int64_t received
    # Which trades set prices: marks (trades.pxd) that keep none from it, sizes, times of day.
    cdef uint32_t price_marks
    cdef uint64_t odd_lot_below
    cdef int64_t priced_from     # ns after midnight
    cdef int64_t priced_until
    cdef bint selective          # sizes or times of day matter
    cdef int32_t[ANNOUNCED] announced
    cdef uint64_t announcements

    # Instruments. `key` is the feed's own number of it (ITCH: stock locate). -1: unknown,
    # or no room for it.
    cdef int32_t define(self, uint64_t key, const char* symbol, size_t length) noexcept nogil
    # The same where messages name the venue (MIC, NUL-terminated): a row for each of them.
    cdef int32_t define_on(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil
    cdef int32_t find(self, uint64_t key) noexcept nogil
    cdef void set_test(self, int32_t instrument, bint test) noexcept nogil
    # The venue that lists the symbol, by its MIC; NULL: not known.
    cdef void set_listing(self, int32_t instrument, const char* venue) noexcept nogil
    # A session begins; sales before `midnight` are of an earlier day.
    cdef void start_session(self, int64_t midnight) noexcept nogil

    # Orders, by the feed's reference number.
    cdef void add_order(
        self, int32_t instrument, uint64_t reference, Side side, uint64_t size, int64_t price,
        int64_t time,
    ) noexcept nogil
    cdef void execute_order(
        self, uint64_t reference, uint64_t size, uint64_t match, int64_t time, int64_t received,
    ) noexcept nogil
    cdef void execute_order_at(
        self, uint64_t reference, uint64_t size, int64_t price, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef void reduce_order(self, uint64_t reference, uint64_t size, int64_t time) noexcept nogil
    cdef void delete_order(self, uint64_t reference, int64_t time) noexcept nogil
    cdef void replace_order(
        self, uint64_t reference, uint64_t new_reference, uint64_t size, int64_t price,
        int64_t time,
    ) noexcept nogil
    # A new size and price, both absolute; size 0 deletes it.
    cdef void modify_order(
        self, uint64_t reference, uint64_t size, int64_t price, int64_t time
    ) noexcept nogil
    # `remaining` is what is left of the order, whatever it had before.
    cdef void execute_order_remaining(
        self, uint64_t reference, uint64_t size, uint64_t remaining, int64_t price,
        uint64_t match, uint32_t flags, int64_t time, int64_t received,
    ) noexcept nogil

    # Levels, of a feed that sends no orders: the size of all at this price, 0 removes it.
    cdef void set_level(
        self, int32_t instrument, Side side, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil
    # The top of the book, of a feed that sends no more than that; price 0: no bid, no ask.
    cdef void set_quote(
        self, int32_t instrument, int64_t bid, uint64_t bid_size, int64_t ask,
        uint64_t ask_size, int64_t time,
    ) noexcept nogil
    cdef void clear_instrument(self, int32_t instrument, int64_t time) noexcept nogil

    # Hints that these will be touched soon.
    cdef void prefetch_order(self, uint64_t reference) noexcept nogil
    cdef void prefetch_instrument(self, uint64_t key) noexcept nogil

    # Trades that no displayed order made (flags 0: not printable, counts nothing), breaks and
    # corrections (instrument -1: unknown, all are searched), states.
    cdef void trade(
        self, int32_t instrument, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil
    # One of what the feed knows no instrument for; `symbol` as far as it says it.
    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef void break_trade(self, int32_t instrument, uint64_t match, int64_t time) noexcept nogil
    cdef void correct_trade(
        self, int32_t instrument, uint64_t match, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil
    cdef void set_previous_close(self, int32_t instrument, int64_t price) noexcept nogil
    cdef void set_status(self, int32_t instrument, uint64_t status, int64_t time) noexcept nogil
    cdef void set_status_all(self, uint64_t status, int64_t time) noexcept nogil
    cdef void clear_books(self) noexcept nogil

    # Make visible what changed since the last flush: rows, then rings, then doorbells.
    cdef void flush(self, int64_t publish_time) noexcept nogil

    cdef size_t _canonical(
        self, const char* symbol, size_t length, char* out
    ) noexcept nogil
    cdef int64_t _new_row(
        self, uint64_t key, const char* symbol, size_t length, const char* venue
    ) noexcept nogil
    cdef int _select(self, object rules) except -1
    cdef void _touch(self, uint32_t row, uint32_t bits, int64_t time) noexcept nogil
    cdef void _book_changed(self, uint32_t row, int change, int64_t time) noexcept nogil
    cdef void _refresh_quote(self, uint32_t row) noexcept nogil
    cdef uint32_t _eligible(
        self, uint32_t flags, uint64_t size, int64_t time
    ) noexcept nogil
    cdef bint _break_held(self, int32_t instrument, uint64_t match) noexcept nogil
    cdef bint _correct_held(
        self, int32_t instrument, uint64_t match, int64_t price, uint64_t size
    ) noexcept nogil
    cdef void _count_held(self, uint32_t row) noexcept nogil
    cdef void _count_trade(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef void _take_back(self, Trade* trade) noexcept nogil
    cdef void _restore_last(self, uint32_t instrument, Values* values) noexcept nogil
    cdef void _restore_range(self, uint32_t instrument, Values* values) noexcept nogil
    cdef void _restore_carried(self, uint32_t row, bint whole) noexcept nogil
    cdef bint _restore_totals(self, Values* values, const Values* before) noexcept nogil
