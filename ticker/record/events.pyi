from typing import Any

class Image:
    def __init__(
        self, symbol: str, venue: str, currency: str, size_exponent: int, words: dict[str, int]
    ) -> None: ...

class Events:
    count: int
    images: dict[int, Image]
    times: memoryview
    def __init__(self, count: int, buffers: dict[str, Any], images: dict[int, Image]) -> None: ...
    def time(self, index: int) -> int: ...
