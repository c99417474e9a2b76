from typing import NamedTuple

from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

class Reject(NamedTuple):
    reason: str
    symbol: str
    price: int
    size: int
    exchange_time: int
    receive_time: int

class Market:
    def __init__(
        self,
        mapping: Mapping,
        *,
        venue: str = "",
        currency: str = "USD",
        ringer: DoorbellRinger | None = None,
        raw: bool = False,
        max_price: int = 200_000_000_000_000,
        trade_log: int = 1048576,
        order_limit: int = 67108864,
        size_exponent: int = 0,
        symbology: str = "none",
    ) -> None: ...
    @property
    def raw(self) -> bool: ...
    @property
    def size_exponent(self) -> int: ...
    @property
    def symbology(self) -> str: ...
    @property
    def publishing(self) -> bool: ...
    @property
    def orders(self) -> int: ...
    def adopt_rows(self, *, rebuild: bool) -> int: ...
    def set_publishing(self, publishing: bool) -> None: ...
    def publish(self, now_ns: int) -> None: ...
    def forget_orders(self) -> None: ...
    def depth(self, symbol: str, side: int) -> list[tuple[int, int]]: ...
    def rejects(self) -> list[Reject]: ...
