"""The board's view of a symbol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceView:
    """All figures of a symbol: prices in 1e-9 units (None: there is none), sizes in
    10^-size_exponent units, times in ns since the epoch (0: never). `venue` is that of the last
    sale, `status` the liveness (shm/liveness.pyx), `trading_status` the state that the venue
    announces, and `corrected_time` the time of the last break or correction."""

    symbol: str
    venue: str
    currency: str
    size_exponent: int
    status: str
    trading_status: str
    stale: bool
    price: int | None
    size: int
    volume: int
    trades: int
    seq: int
    open: int | None
    high: int | None
    low: int | None
    previous_close: int | None
    official_close: int | None
    extended_price: int | None
    extended_time: int
    bid: int | None
    bid_size: int
    ask: int | None
    ask_size: int
    exchange_time: int
    corrected_time: int
    receive_time: int
    publish_time: int
    quote_time: int
    quotes: int
    bid_venue: str
    ask_venue: str

    @property
    def traded(self) -> bool:
        """Whether there is a price, was one until a break, or is one of extended hours."""
        return self.price is not None or self.price_time > 0

    @property
    def price_time(self) -> int:
        """The exchange time of the last sale. If no sale is left, that of the break; if there were
        only trades of extended hours, that of the newest; 0 without trades."""
        if self.price is not None:
            return self.exchange_time
        return self.corrected_time or self.extended_time
