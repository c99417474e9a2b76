from collections.abc import Callable

from ticker.config.filter import FilterConfig
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping
from ticker.shm.rejects import RejectView

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
        timezone: str = "America/New_York",
        rules: FilterConfig = ...,
    ) -> None: ...
    @property
    def publishing(self) -> bool: ...
    @property
    def orders(self) -> int: ...
    def follow(self, watch: object, *, by_receive_time: bool) -> None: ...
    def follow_tape(
        self, hours: Callable[[int], tuple[int, int] | None], *, unmarked: bool, round_lots: bool
    ) -> None: ...
    def pass_time(self, now_ns: int) -> None: ...
    def adopt_rows(self, *, rebuild: bool) -> int: ...
    def set_publishing(
        self, publishing: bool, *, whole: bool = True, another: bool = False
    ) -> None: ...
    def publish(self, now_ns: int) -> None: ...
    def forget_orders(self) -> None: ...
    def depth(self, symbol: str, side: int) -> list[tuple[int, int]]: ...
    def rejects(self) -> list[RejectView]: ...
