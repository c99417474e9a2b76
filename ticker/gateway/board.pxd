from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport Values
from ticker.shm.table cimport PriceTable


cdef enum:
    NO_SYMBOL = 0xFFFFFFFF


cdef struct RowRef:
    uint32_t feed
    uint32_t row


cdef struct SymbolRows:
    RowRef* rows
    uint32_t count


cdef class Board:
    """All symbols of all feeds, by one number each, and the rows behind them."""

    cdef list feed_names
    cdef list tables
    cdef list names              # symbol by its number
    cdef dict numbers            # number by symbol
    cdef list states             # Heartbeat of each feed
    cdef list live               # bool of each feed, as of the last look()
    cdef SymbolRows* rows
    cdef uint32_t count
    cdef uint32_t capacity
    cdef uint32_t** row_symbols  # [feed][row] -> symbol number
    cdef uint32_t* rows_known    # [feed] rows learnt so far
    cdef uint32_t feed_count

    cdef PriceTable table(self, uint32_t feed)
    cdef uint32_t symbol_of(self, uint32_t feed, uint32_t row) noexcept nogil
    cdef bint read(self, uint32_t symbol, Values* out)
    cdef bint _read_row(self, RowRef* ref, Values* out)
    cdef int64_t _add_row(self, str symbol, uint32_t feed, uint32_t row) except -1
    cdef int64_t _new_symbol(self, str symbol) except -1
    cdef object _view(self, str symbol, RowRef* ref, Values* values)
    cdef str _last_venue(self, str symbol, RowRef* ref, Values* values)
    cdef int learn(self, uint32_t feed, uint32_t row) except -1
