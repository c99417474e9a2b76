from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ticker.feeds.session import Session, SessionOptions

class Phase(Enum):
    DISCONNECTED = 0
    LOGGING_IN = 1
    LOGGED_IN = 2
    ENDED = 3

class Event(NamedTuple):
    kind: str
    text: str

@dataclass(frozen=True, kw_only=True)
class SoupOptions(SessionOptions):
    username: str = ""
    password: str = ""
    session: str = ""
    heartbeat_ns: int = ...
    silence_ns: int = ...
    reached: tuple[bytes, int] | None = None

class SoupBinTcp(Session):
    @property
    def phase(self) -> Phase: ...
    @property
    def should_close(self) -> bool: ...
    @property
    def caught_up(self) -> bool: ...
    def connected(self, now_ns: int) -> None: ...
    def disconnected(self) -> None: ...
    def logout(self, now_ns: int) -> None: ...
    def take_events(self) -> list[Event]: ...
