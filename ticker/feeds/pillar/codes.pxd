"""What the letters of NYSE Pillar's trades and states mean here."""

from libc.stdint cimport uint8_t, uint32_t

from ticker.feeds.market.conditions cimport CODING_CTA, flags_without, taken_by_letters
from ticker.feeds.market.trades cimport (
    TRADE_CROSS,
    TRADE_EXTENDED,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_REGULAR,
)
from ticker.shm.layout cimport STATUS_CLOSED, STATUS_QUOTE_ONLY, STATUS_TRADING


cdef inline uint32_t flags_of(uint8_t printed, const uint8_t* conditions, int number) noexcept nogil:
    """What a trade counts for. Printed flag 1: printed to the tape. Version 2.3 has a number
    where later ones have the conditions of an execution."""
    cdef int i
    if printed != 1:
        return 0
    for i in range(number):
        if conditions[i] and not 0x20 <= conditions[i] < 0x7F:
            return TRADE_REGULAR
    return flags_without(taken_by_letters(CODING_CTA, conditions, number))


cdef inline uint32_t cross_flags(uint8_t kind) noexcept nogil:
    """By the Cross Type: early opening, opening, closing, or one after a halt."""
    if kind == c"E":
        return TRADE_REGULAR | TRADE_EXTENDED
    if kind == c"O":
        return TRADE_REGULAR | TRADE_CROSS | TRADE_OFFICIAL_OPEN
    if kind == c"6":
        return TRADE_REGULAR | TRADE_CROSS | TRADE_OFFICIAL_CLOSE
    return TRADE_REGULAR | TRADE_CROSS


cdef inline uint8_t session_of(uint8_t state, uint8_t otherwise) noexcept nogil:
    """The TradingStatus of a market's session: before the open orders are taken and wait."""
    if state == c"E" or state == c"O" or state == c"L":
        return STATUS_TRADING
    if state == c"P" or state == c"B":
        return STATUS_QUOTE_ONLY
    if state == c"X":
        return STATUS_CLOSED
    return otherwise
