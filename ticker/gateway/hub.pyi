from ticker.gateway.connection import ConnectionTable
from ticker.gateway.topics import Topics
from ticker.shm.header import Mapping

class Hub:
    def __init__(
        self,
        topics: Topics,
        connections: ConnectionTable,
        segment: Mapping,
        interval_ns: int,
        max_symbols: int,
        now_ns: int,
    ) -> None: ...
    def subscribe(
        self, number: int, symbols: list[int], now_ns: int, seen: dict[int, int] | None = None
    ) -> int: ...
    def unsubscribe(self, number: int, symbols: list[int]) -> int: ...
    def forget(self, number: int) -> None: ...
    def subscribed(self, number: int) -> list[int]: ...
    def subscription_count(self, number: int) -> int: ...
