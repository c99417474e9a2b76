from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol

MESSAGE_LENGTHS: dict[int, int]

class Pitch(Protocol):
    def __init__(self, market: Market, *, midnight_ns: int = 0) -> None: ...
    @property
    def message_counts(self) -> dict[int, int]: ...
