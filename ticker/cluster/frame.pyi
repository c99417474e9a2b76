from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

FAULTS: tuple[str, ...]
LONGEST: int
STATE_WORDS: int

class FrameKind(IntEnum):
    FRAME_DELTA = 1
    FRAME_IMAGE = 2
    FRAME_STATE = 3
    FRAME_NOTICE = 4
    FRAME_ASK = 5

class Fault(IntEnum):
    FAULT_NONE = 0
    FAULT_SHORT = 1
    FAULT_MAGIC = 2
    FAULT_VERSION = 3
    FAULT_CHECK = 4
    FAULT_KIND = 5
    FAULT_FEED = 6
    FAULT_BODY = 7

@dataclass(frozen=True)
class Head:
    kind: int
    shard: int
    epoch: int
    batch: int
    boot: int
    publish_time: int
    part: int = 0
    parts: int = 1

def identity(cluster: str, feed: str) -> int: ...

ASKS_REFRESH: int
ASKS_STATE: int

def head_of(frame: bytes, feed: int) -> Head: ...
def body_of(frame: bytes) -> bytes: ...
def life_of(boot: int, number: int) -> int: ...
def batches_of(frame: bytes) -> list[int]: ...
def make_frame(
    head: Head, feed: int, body: bytes, *, defines: int = 0, rows: int = 0, trades: int = 0
) -> bytes: ...
def published_at(frame: bytes) -> int: ...
def moved(frame: bytes, shift: int, feed: int) -> bytes: ...
def shards_in(body: bytes) -> list[int]: ...
def asking(shards: Iterable[int]) -> bytes: ...
