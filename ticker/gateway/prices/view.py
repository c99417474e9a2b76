"""What the board tells of a symbol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceView:
    """Everything known of a symbol: prices in 1e-9 units (0: none), sizes in 10^-size_exponent
    units, times in ns since the epoch; `venue` is that of the last sale, `status` the liveness
    (shm/liveness.pyx), `trading_status` what the venue says."""

    symbol: str
    venue: str
    currency: str
    size_exponent: int
    status: str
    trading_status: str
    stale: bool
    price: int
    size: int
    volume: int
    trades: int
    seq: int
    open: int
    high: int
    low: int
    previous_close: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    exchange_time: int
    receive_time: int
    publish_time: int
    quote_time: int
    quotes: int
    bid_venue: str
    ask_venue: str
