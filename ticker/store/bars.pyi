from ticker.shm.header import Mapping

Figures = tuple[
    str, str, int,
    int | None, int | None, int | None, int | None, int | None, int | None,
    int, int, int, int, int, bool, bool,
]  # fmt: skip

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
    def take(self) -> list[Figures]: ...
