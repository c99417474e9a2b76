from enum import IntEnum

from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

class Verdict(IntEnum):
    VERDICT_TAKEN = 0
    VERDICT_HELD = 1
    VERDICT_DUPLICATE = 2
    VERDICT_OLD = 3
    VERDICT_OTHER = 4
    VERDICT_REFUSED = 5

class Incoming:
    epoch: int
    boot: int
    speaker_state: int
    speaker_why: int
    def __init__(
        self, mapping: Mapping, feed: int, shards: int, ringer: DoorbellRinger | None = None
    ) -> None: ...
    def watch(self) -> None: ...
    def settle(self, now: int) -> None: ...
    @property
    def batches(self) -> list[int]: ...
    def wanting(self) -> list[int]: ...
    def take(self, frame: bytes, now: int, shard: int = -1) -> int: ...
    def take_state(self, frame: bytes, now: int) -> int: ...
    def ring(self) -> None: ...
