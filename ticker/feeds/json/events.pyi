from typing import NamedTuple

class Event(NamedTuple):
    kind: str
    rule: str
    text: str
