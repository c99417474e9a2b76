from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol

class FixMarketData(Protocol):
    def __init__(
        self, market: Market, *, midnight_ns: int = 0, top_of_book: bool = False
    ) -> None: ...
    @property
    def top_of_book(self) -> bool: ...
    @property
    def message_counts(self) -> dict[str, int]: ...
