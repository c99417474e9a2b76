from typing import NamedTuple

from ticker.shm.header import Mapping

RULES: tuple[str, ...]
HELD: str
KEPT: int

class RejectView(NamedTuple):
    rule: str
    symbol: str
    price: int
    size: int
    exchange_time: int
    receive_time: int
    detail: str = ""
    match: int = 0
    size_exponent: int = 0

    def as_json(self) -> dict[str, object]: ...

class RejectWriter:
    def __init__(self, mapping: Mapping) -> None: ...
    def put(
        self,
        rule: str,
        symbol: str,
        price: int = 0,
        size: int = 0,
        exchange_time: int = 0,
        receive_time: int = 0,
        match: int = 0,
        size_exponent: int = 0,
        detail: tuple[int, int] = (0, 0),
    ) -> None: ...

class RejectReader:
    def __init__(self, mapping: Mapping) -> None: ...
    def counts(self) -> dict[str, int]: ...
    def held(self, limit: int = ...) -> list[RejectView]: ...
    def last(self, rule: str, limit: int = ...) -> list[RejectView]: ...
