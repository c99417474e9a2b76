"""Sale conditions in words: what a trade counts for, and what it is (TradeFlag, layout.pxd)."""

from __future__ import annotations

from ticker.shm.layout import TradeFlag

COUNTS_FOR = {
    "last": TradeFlag.TRADE_SETS_LAST,
    "open": TradeFlag.TRADE_SETS_OPEN,
    "high_low": TradeFlag.TRADE_SETS_RANGE,
    "volume": TradeFlag.TRADE_COUNTS_VOLUME,
}
NO_NAMES = (*COUNTS_FOR.values(), TradeFlag.TRADE_REGULAR)
IS = tuple(flag for flag in TradeFlag if flag not in NO_NAMES)


def counts_for(conditions: int) -> list[str]:
    """Which figures of the day the trade may change."""
    return [name for name, flag in COUNTS_FOR.items() if conditions & flag]


def conditions_of(conditions: int) -> list[str]:
    """What the conditions of the sale say of it."""
    return [flag.name.removeprefix("TRADE_").lower() for flag in IS if conditions & flag]
