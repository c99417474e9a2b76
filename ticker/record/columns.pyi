from collections.abc import Mapping

Taken = tuple[int, dict[str, bytearray], list[tuple[int, Mapping[str, object]]]]

FIRST_FEED_STATE: int

class Columns:
    capacity: int
    used: int
    batch: int
    full: bool
    def __init__(self, capacity: int) -> None: ...
    def take(self) -> Taken: ...
    def note(
        self,
        kind: int,
        time_ns: int,
        count: int = 0,
        state: int = 0,
        words: dict[str, object] | None = None,
    ) -> None: ...
