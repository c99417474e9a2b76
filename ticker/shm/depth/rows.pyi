from ticker.shm.header import Mapping

class DepthReader:
    capacity: int
    def __init__(self, mapping: Mapping) -> None: ...
    def full(self) -> bool: ...
    def book(self, row: int) -> dict[str, object] | None: ...

class DepthWriter(DepthReader):
    def put(
        self,
        row: int,
        levels: int,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        time: int,
    ) -> None: ...
