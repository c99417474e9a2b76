"""The trades of a feed, as far as they count: see sales.pyx."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market.eligibility cimport Eligibility
from ticker.feeds.market.filter cimport Filter
from ticker.feeds.market.jumps cimport Held
from ticker.feeds.market.publisher cimport Publisher
from ticker.feeds.market.quotes cimport Quotes
from ticker.feeds.market.rows cimport Rows
from ticker.feeds.market.takeover cimport Takeover
from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_LAST_IF_ONLY,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_REGULAR,
    TRADE_SETS_EXTENDED,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    Trade,
    TradeLog,
)
from ticker.pages cimport prefetch_to_write
from ticker.shm.lineage.origin cimport Origin

cdef enum:
    PRICED = TRADE_SETS_LAST | TRADE_SETS_OPEN | TRADE_SETS_RANGE | TRADE_LAST_IF_ONLY
    # What counts for something; all else is a print that changes nothing.
    COUNTED = TRADE_REGULAR | TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE
    # What a trade of a day that is over changes no more.
    OF_THE_DAY = (
        TRADE_COUNTS_VOLUME | TRADE_SETS_OPEN | TRADE_SETS_RANGE | TRADE_LAST_IF_ONLY
        | TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE | TRADE_SETS_EXTENDED
    )


@cython.final
cdef class Sales:
    cdef Rows rows
    cdef Quotes quotes           # a flush shows them with the trades
    cdef Publisher publisher     # that of the rows
    cdef Takeover takeover       # what readers were told before a rebuild (Market sets it)
    cdef uint64_t* counters
    cdef Filter filter
    cdef TradeLog trades
    cdef readonly bint raw
    cdef Origin origin           # of the message that is decoded now; its session says it
    cdef Eligibility eligibility

    cdef inline void prefetch(self, uint32_t row) noexcept nogil:
        """What of an instrument a trade that will come soon touches beside its values."""
        prefetch_to_write(&self.trades.chains[row], 1, 3)
        prefetch_to_write(&self.filter.ids.greatest[row], 1, 3)
        prefetch_to_write(&self.publisher.table.rests[row].reserved, 1, 3)

    # Trades that no displayed order made (flags 0: not printable, counts nothing), breaks and
    # corrections (instrument -1: unknown, all are searched).
    cdef void trade(
        self, int32_t instrument, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil
    # A price of the day without a trade of its own: TRADE_OFFICIAL_OPEN, TRADE_OFFICIAL_CLOSE.
    cdef void official(
        self, int32_t instrument, int64_t price, uint32_t which, int64_t time, int64_t received
    ) noexcept nogil
    # What the directory says is a round lot of an instrument, in shares; 0: not said.
    cdef void set_round_lot(self, int32_t instrument, uint64_t shares) noexcept nogil
    # One of what the feed knows no instrument for; `symbol` as far as it says it.
    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef void break_trade(self, int32_t instrument, uint64_t match, int64_t time) noexcept nogil
    # Where the correction has a number of its own, by which it can be taken back, and other
    # conditions: `flags` are the TradeFlags that they leave, 0: those that the trade had.
    cdef void amend_trade(
        self, int32_t instrument, uint64_t match, uint64_t new_match, int64_t price,
        uint64_t size, uint32_t flags, int64_t time,
    ) noexcept nogil
    cdef inline void correct_trade(
        self, int32_t instrument, uint64_t match, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil:
        """A trade had another price or size: it counts as before, with the right ones."""
        self.amend_trade(instrument, match, match, price, size, 0, time)
    # Rows that a predecessor left go on, and the numbers of its trades are not known.
    cdef void adopt(self) noexcept nogil
    # Market.flush; comes by itself when PENDING_TRADES wait for one.
    cdef void flush(self, int64_t publish_time) noexcept nogil

    cdef bint _break_held(self, int32_t instrument, uint64_t match) noexcept nogil
    cdef bint _correct_held(
        self, int32_t instrument, uint64_t match, uint64_t new_match, int64_t price,
        uint64_t size, uint32_t flags,
    ) noexcept nogil
    cdef void _count_settled(self, uint32_t row) noexcept nogil
    cdef void _count_held(self, uint32_t row, const Held* held) noexcept nogil
    cdef void _judge_again(self, uint32_t row, const Held* held) noexcept nogil
    cdef void _reconsider(self, uint32_t row) noexcept nogil
    cdef void _reconsider_changed(self) noexcept nogil
    cdef void _count_trade(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t time, int64_t received,
    ) noexcept nogil
    cdef uint32_t _eligible(
        self, uint32_t row, uint32_t flags, int64_t price, uint64_t size, int64_t time,
        int64_t received,
    ) noexcept nogil
    cdef void _know(
        self, uint32_t row, uint64_t match, uint64_t new_match, int64_t time
    ) noexcept nogil
    cdef bint _tells(self, uint32_t row, int64_t time) noexcept nogil
    cdef void _take_back(self, Trade* trade, int64_t time) noexcept nogil
    cdef void _count_again(self, uint32_t instrument) noexcept nogil
