from ticker.feeds.fix.group import EntryGroup
from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol

class FixMarketData(Protocol):
    def __init__(
        self,
        market: Market,
        *,
        midnight_ns: int = 0,
        depth: int = 0,
        price_decimals: int | None = None,
    ) -> None: ...
    @property
    def group(self) -> EntryGroup: ...
    @property
    def message_counts(self) -> dict[str, int]: ...
