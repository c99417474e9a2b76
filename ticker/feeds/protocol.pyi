from typing import ClassVar

from ticker.feeds.market.market import Market

class Protocol:
    session: ClassVar[str]
    midnight_ns: int
    unit: int
    def __init__(self, market: Market | None = None, *, midnight_ns: int = 0) -> None: ...
    def decode(self, message: bytes, receive_time: int = 0) -> None: ...
    def expect(self, message: bytes) -> None: ...

class MessageLog(Protocol):
    messages: list[bytes]
    def __init__(self) -> None: ...
