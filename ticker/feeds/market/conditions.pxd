"""Sale conditions in C: a trade's codes into the TradeFlags that it keeps (conditions.pyx)."""

from libc.stdint cimport uint8_t, uint32_t

from ticker.feeds.market.trades cimport (
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_ODD_LOT,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
)


cdef enum Coding:
    CODING_CTA = 0               # tapes A and B, one letter each; NYSE Pillar writes them too
    CODING_UTP                   # tape C, one letter each

# What the codes of one trade take away from it, all of them together: TradeFlags, and with
# them TRADE_ODD_LOT and TRADE_EXTENDED, which are not taken but said.
cdef uint32_t taken_by_letters(Coding coding, const uint8_t* codes, size_t count) noexcept nogil
cdef uint32_t taken_by_iex(uint8_t flags) noexcept nogil
# FIX TradeCondition (277): one or two characters each, with blanks between.
cdef uint32_t taken_by_fix(const uint8_t* text, size_t length) noexcept nogil


cdef inline uint32_t flags_without(uint32_t taken) noexcept nogil:
    """The flags of a trade from which its conditions take this away."""
    cdef uint32_t flags = (TRADE_REGULAR | TRADE_LAST_IF_ONLY) & ~taken
    if flags & TRADE_SETS_LAST:
        flags &= ~<uint32_t>TRADE_LAST_IF_ONLY
    if not flags & TRADE_REGULAR:
        return TRADE_PRINTED
    return flags | (taken & (TRADE_ODD_LOT | TRADE_EXTENDED))
