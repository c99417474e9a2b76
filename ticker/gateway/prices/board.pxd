from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport strncmp

from ticker.gateway.prices.consolidate cimport Consolidated
from ticker.shm.layout cimport VENUE_BYTES, Values
from ticker.shm.liveness cimport Conditions, Liveness
from ticker.shm.table cimport PriceTable


cdef enum:
    NO_SYMBOL = 0xFFFFFFFF       # a row not learnt yet
    NO_PART = 0xFFFFFFFE         # a row that is no part of its symbol's consolidated price
    ALL_ROWS = 0xFFFFFFFF        # in rows_known: nothing of the feed is learnt any more


cdef struct RowRef:
    uint32_t feed
    uint32_t row
    uint64_t size_exponent
    bint part                    # of the consolidated price: the currency is the symbol's
    bint shared                  # another feed has the same venue's row, too


cdef struct SymbolRows:
    RowRef* rows                 # in the order of the feeds, so the first says the currency
    uint32_t count
    uint64_t gone_seq            # of rows whose feeds were removed: seq does not go back


cdef struct Verdict:
    Liveness state
    bint stale                   # a newer price may exist that we don't know
    bint listed                  # said by the venue that lists the symbol


cdef inline bint same_venue(const char* a, const char* b) noexcept nogil:
    """A row that names no venue is of none."""
    return a[0] != 0 and strncmp(a, b, VENUE_BYTES) == 0


cdef class Board:
    """All symbols of all feeds, by one number each, and the rows behind them."""

    cdef list feed_names         # None: the feed was removed
    cdef list tables
    cdef list names              # symbol by its number
    cdef dict numbers            # number by symbol
    cdef dict gone               # by name of a removed feed: the seq of its rows by symbol number
    cdef Conditions conditions   # of each feed, as of the last look()
    cdef SymbolRows* rows
    cdef uint32_t count
    cdef uint32_t capacity
    cdef uint32_t** row_symbols  # [feed][row] -> symbol number, or NO_PART
    cdef uint32_t* rows_known    # [feed] rows learnt so far
    cdef uint32_t feed_count
    cdef readonly uint64_t symbol_changes  # how often a symbol came, or went with its last feed

    cdef PriceTable table(self, uint32_t feed)
    cdef uint32_t symbol_of(self, uint32_t feed, uint32_t row) noexcept nogil
    cdef bint read_all(self, uint32_t symbol, Consolidated* out)
    cdef Verdict verdict(self, uint32_t symbol)
    cdef Verdict _judge(self, RowRef* ref)
    cdef bint _read_row(self, RowRef* ref, Values* out)
    cdef int64_t _add_row(self, str symbol, uint32_t feed, uint32_t row) except -1
    cdef int64_t _new_symbol(self, str symbol) except -1
    cdef RowRef* _insert(self, SymbolRows* entry, uint32_t feed, uint32_t row) except NULL
    cdef bint _speaks(self, SymbolRows* entry, uint32_t number)
    cdef int _find_shared(self, SymbolRows* entry) except -1
    cdef int _agree_on_currency(self, SymbolRows* entry) except -1
    cdef int _forget(self, SymbolRows* entry, uint32_t feed) except -1
    cdef object _view(self, uint32_t symbol, Consolidated* found, Verdict verdict)
    cdef str _venue_of(self, uint32_t symbol, uint32_t number)
    cdef int learn(self, uint32_t feed, uint32_t row) except -1
