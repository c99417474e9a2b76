from typing import NamedTuple

class Skipped(NamedTuple):
    rule: str
    reason: str
    times: int
    example: str
    def said(self) -> str: ...
