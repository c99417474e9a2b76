from pathlib import Path
from typing import TypedDict

FILE_BYTES: int
TRACED_ROWS: int

class Message(TypedDict):
    receive_time: int
    sequence: int
    line: int
    channel: int
    tag: int
    message: bytes
    length: int

class TraceWriter:
    def __init__(self, path: Path) -> None: ...

class TraceReader:
    def __init__(self, path: Path) -> None: ...
    def of_row(self, row: int) -> dict[int, Message]: ...
