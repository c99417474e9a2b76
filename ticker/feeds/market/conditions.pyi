from typing import NamedTuple

YES: int
ONLY: int
NO: int

class Condition(NamedTuple):
    name: str
    last: int
    range: int
    volume: int
    cta: str = ""
    utp: str = ""
    polygon: tuple[int, ...] = ()
    fix: tuple[str, ...] = ()
    iex: int = 0

CONDITIONS: tuple[Condition, ...]
CODINGS: tuple[str, ...]

def taken(condition: Condition) -> int: ...
def taken_by_text(coding: str) -> dict[str, int]: ...
def trade_flags(coding: str, codes: str) -> int: ...
