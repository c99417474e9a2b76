from typing import ClassVar

from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol

class IexProtocol(Protocol):
    message_protocol: ClassVar[int]
    def __init__(self, market: Market, *, midnight_ns: int = 0) -> None: ...
    @property
    def message_counts(self) -> dict[str, int]: ...
    @property
    def message_lengths(self) -> dict[str, int]: ...
