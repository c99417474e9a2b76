from ticker.shm.header import Mapping
from ticker.store.live.forming import Figures as Figures

EVER: int

class Bars:
    records: int
    unmatched: int
    positions: list[int]
    skipped: int
    held: int
    newest_ns: int
    def __init__(
        self,
        mapping: Mapping,
        minute: int,
        positions: list[int] | None = None,
        kept: int = 1 << 20,
    ) -> None: ...
    def settle(self, minute: int) -> None: ...
    def read(self, limit: int = 1 << 62) -> int: ...
    def take(self, before: int = ..., most: int = ...) -> list[Figures]: ...
    def image(self) -> bytes: ...
