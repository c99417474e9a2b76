from typing import NamedTuple

from ticker.feeds.json.tables import Mapping
from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol

class Skipped(NamedTuple):
    rule: str
    reason: str
    times: int
    example: str
    def said(self) -> str: ...

class Event(NamedTuple):
    kind: str
    rule: str
    text: str

class JsonTexts(Protocol):
    broken: bool
    told: bool
    def __init__(
        self, market: Market, *, midnight_ns: int = 0, mapping: Mapping | None = None
    ) -> None: ...
    def connected(self) -> None: ...
    def asked_for(self, symbol: str) -> None: ...
    def take_events(self) -> list[Event]: ...
    @property
    def taken(self) -> dict[str, int]: ...
    def skipped(self) -> list[Skipped]: ...
