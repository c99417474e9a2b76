"""Sale conditions in C: a trade's codes into the TradeFlags that it keeps (conditions.pyx)."""

from libc.stdint cimport uint8_t, uint32_t

from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_LAST_IF_SAME,
    TRADE_LAST_IN_TIME,
    TRADE_ODD_LOT,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_PRINTED,
    TRADE_REGULAR,
    TRADE_SETS_LAST,
)

cdef enum:
    # Beside the TradeFlags, taken or left: a code of the trade is in no table. Sales counts it.
    UNKNOWN_CONDITION = 1 << 30
    MARKS = (
        TRADE_ODD_LOT | TRADE_EXTENDED | TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE
        | TRADE_LAST_IF_SAME | TRADE_LAST_IN_TIME
    )

cdef enum Coding:
    CODING_CTA = 0               # tapes A and B, one letter each; NYSE Pillar writes them too
    CODING_UTP                   # tape C, one letter each

# What the codes of one trade take away from it, all of them together: TradeFlags, and with them
# the MARKS, which are not taken but said, and UNKNOWN_CONDITION.
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
        return TRADE_PRINTED | (
            taken & (TRADE_OFFICIAL_OPEN | TRADE_OFFICIAL_CLOSE | UNKNOWN_CONDITION)
        )
    return flags | (taken & (MARKS | UNKNOWN_CONDITION))
