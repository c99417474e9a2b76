from collections.abc import Sequence
from enum import IntEnum

LONGEST_LINE: int
LONGEST_MESSAGE: int
PING: bytes
PONG: bytes

class Kind(IntEnum):
    INFO = 1
    MESSAGE = 2
    PING = 3
    PONG = 4
    OK = 5
    ERROR = 6

Event = tuple[Kind, int, bytes, bytes, bytes]

class NatsReader:
    longest: int
    def __init__(self, longest: int = ...) -> None: ...
    def receive_data(self, data: bytes) -> list[Event]: ...

def connect(options: bytes) -> bytes: ...
def subscribe(subject: bytes, sid: int) -> bytes: ...
def unsubscribe(sid: int) -> bytes: ...
def publish(subject: bytes, payload: bytes, reply: bytes = b"") -> bytes: ...
def publish_all(messages: Sequence[tuple[bytes, ...]]) -> bytes: ...
def place_of(reply: bytes) -> tuple[int, int, int]: ...
