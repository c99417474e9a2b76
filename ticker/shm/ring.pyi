from ticker.shm.header import Mapping

class RingWriter:
    cursor: int
    def __init__(self, mapping: Mapping, index: int) -> None: ...
    def put(
        self,
        row: int,
        kind: int,
        price: int = 0,
        size: int = 0,
        exchange_time: int = 0,
        match: int = 0,
        publish_time: int = 0,
        seq: int = 0,
        conditions: int = 0,
    ) -> None: ...

class RingReader:
    position: int
    laps: int
    skipped: int
    def __init__(self, mapping: Mapping, index: int) -> None: ...
    def take(self, limit: int) -> list[dict[str, int]]: ...
