"""What TOPS and DEEP have in common: see iex.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.endian cimport le64
from ticker.feeds.market.book cimport NO_PRICE
from ticker.feeds.protocol cimport Protocol

cdef enum:
    COMING = 4
    PRICE_UNITS = 100000               # 1e-9 units in one of IEX's 1e-4
    QUOTE_UPDATE = 0x51                # Q, TOPS only
    LEVEL_BUY = 0x38                   # 8, DEEP only
    LEVEL_SELL = 0x35                  # 5, DEEP only
    SECURITY_EVENT = 0x45              # E, DEEP only
    TRADE_REPORT = 0x54                # T

# A price above it does not fit into 1e-9 units.
cdef extern from *:
    """
    #define TICKER_IEX_MOST_PRICE (INT64_MAX / 100000)
    """
    const int64_t MOST_PRICE "TICKER_IEX_MOST_PRICE"


cdef inline int64_t price_at(const uint8_t* at) noexcept nogil:
    """A price in 1e-9 units; NO_PRICE: one that does not fit."""
    cdef int64_t price = <int64_t>le64(at)
    return price * PRICE_UNITS if -MOST_PRICE <= price <= MOST_PRICE else NO_PRICE


# A message announced and not yet decoded, of which nothing was fetched yet but its symbol's place.
cdef struct Coming:
    uint64_t key                       # its symbol
    uint8_t kind


cdef class IexProtocol(Protocol):
    cdef uint8_t[256] lengths          # of each type in bytes, its shortest; 0: no such type
    cdef uint64_t[256] seen
    cdef uint32_t rows
    cdef Coming[COMING] coming
    cdef uint64_t announced
    cdef bint fresh                    # nothing has come since the session began
    cdef uint8_t* states               # per row: TradingStatus of the last H, OPERATIONAL_HALT

    # What only one of the two protocols has; `data` is as long as its type asks.
    cdef void update(
        self, uint8_t kind, const uint8_t* data, int64_t time, int64_t receive_time
    ) noexcept nogil
    cdef int32_t instrument(self, const uint8_t* symbol) noexcept nogil
    cdef int32_t _define(self, const uint8_t* symbol) noexcept nogil
    cdef void _trade(self, const uint8_t* data, int64_t time, int64_t receive_time) noexcept nogil
    cdef void _rare(self, uint8_t kind, const uint8_t* data, int64_t time) noexcept nogil
    cdef void _official_price(
        self, int32_t instrument, const uint8_t* data, int64_t time
    ) noexcept nogil
    cdef void _system_event(self, uint8_t event, int64_t time) noexcept nogil
    cdef void _security(self, int32_t instrument, const uint8_t* data) noexcept nogil
    cdef void _trading_status(
        self, int32_t instrument, uint8_t status, int64_t time
    ) noexcept nogil
    cdef void _operational_halt(
        self, int32_t instrument, uint8_t status, int64_t time
    ) noexcept nogil
    cdef void _set_state(self, int32_t instrument, uint8_t state, int64_t time) noexcept nogil
