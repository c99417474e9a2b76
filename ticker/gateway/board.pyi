from dataclasses import dataclass

from ticker.shm.header import Mapping

STATUSES: dict[int, str]
HEARTBEAT_TIMEOUT_NS: int

@dataclass(frozen=True, slots=True)
class PriceView:
    symbol: str
    venue: str
    currency: str
    size_exponent: int
    status: str
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

class Board:
    def __init__(self, feeds: list[tuple[str, Mapping]]) -> None: ...
    def refresh(self) -> int: ...
    def look(self, now_ns: int) -> None: ...
    def feeds(self) -> list[tuple[str, bool]]: ...
    def symbols(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def index(self, symbol: str) -> int: ...
    def name(self, number: int) -> str: ...
    def price(self, symbol: str, venue: str | None = None) -> PriceView | None: ...
