"""What the board tells of a symbol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceView:
    """Everything known of a symbol: prices in 1e-9 units (None: there is none), sizes in
    10^-size_exponent units, times in ns since the epoch (0: never); `venue` is that of the last
    sale, `status` the liveness (shm/liveness.pyx), `trading_status` what the venue says,
    `corrected_time` when a trade was taken back or corrected last."""

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
        """Whether there is a price, or was one until its trade was taken back, or one of extended
        hours."""
        return self.price is not None or self.price_time > 0

    @property
    def price_time(self) -> int:
        """The exchange time of the last sale; of the taking back, if none is left; of the last
        trade of extended hours, if there was no other; 0: there was none."""
        if self.price is not None:
            return self.exchange_time
        return self.corrected_time or self.extended_time
