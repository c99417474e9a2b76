from typing import NamedTuple

NO: int
ONLY: int
YES: int
SAME: int
LATE: int
OPEN: int
CLOSE: int

class Condition(NamedTuple):
    name: str
    last: int
    open: int
    range: int
    volume: int
    official: int = ...
    cta: str = ""
    utp: str = ""
    polygon: tuple[int, ...] = ()
    fix: tuple[str, ...] = ()
    iex: int = 0
    mark: int = 0

CONDITIONS: tuple[Condition, ...]
CODINGS: tuple[str, ...]

def taken(condition: Condition) -> int: ...
def codes_of(condition: Condition, coding: str) -> tuple[str, ...]: ...
def knows(coding: str, codes: str) -> bool: ...
def taken_by_text(coding: str) -> dict[str, int]: ...
def trade_flags(coding: str, codes: str) -> int: ...
