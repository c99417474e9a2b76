from typing import NamedTuple

from ticker.shm.header import Mapping

STATES: tuple[str, ...]
PHASES: tuple[str, ...]
UNKNOWN: int
CLOSED: int
PRE: int
OPEN: int
BREAK: int
POST: int
DEFAULT_QUIET_NS: int
WORKER_TIMEOUT_NS: int

class Conditions:
    count: int
    looked_ns: int
    def __init__(self, mappings: list[Mapping]) -> None: ...
    def add(self, mapping: Mapping) -> None: ...
    def look(
        self,
        now_ns: int,
        sessions: list[tuple[int, int, int]] | None = None,
        steady_ns: int | None = None,
    ) -> None: ...
    def state(self, feed: int) -> str: ...
    def silent(self, feed: int) -> bool: ...

def verdict(
    conditions: Conditions,
    feed: int,
    *,
    status: int = 0,
    flags: int = 0,
    publish_time: int = 0,
) -> str: ...

class MarketWords(NamedTuple):
    phase: str
    phase_time: int
    breaker: int
    breaker_time: int
    decline_levels: tuple[int, ...]

def market_words(mapping: Mapping) -> MarketWords: ...
