from collections.abc import Iterator

from ticker.errors import StoreError
from ticker.shm.header import Mapping

class NewerFormatError(StoreError): ...

class Image:
    feed: str
    rows: int
    unsaved: int
    def __init__(self, mapping: Mapping, feed: str) -> None: ...
    def look(self) -> int: ...
    def seal(self, number: int, created_ns: int) -> memoryview: ...
    def saved(self) -> None: ...

class Contents:
    feed: str
    number: int
    created_ns: int
    rows: int
    boot: int
    damaged: list[tuple[int, int]]
    session: bytes
    def __init__(self, data: bytes) -> None: ...
    def __iter__(self) -> Iterator[tuple[str, str, dict[str, int]]]: ...

def checksum(data: bytes, plain: bool = False) -> int: ...
