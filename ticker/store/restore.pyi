from dataclasses import dataclass

from ticker.shm.header import Mapping
from ticker.store.snapshot import Contents

@dataclass(frozen=True)
class Restored:
    created_ns: int = 0
    rows: int = 0
    rolled: int = 0
    ahead: int = 0
    too_old: int = 0
    no_room: int = 0
    damaged: int = 0

def restore(
    mapping: Mapping,
    contents: list[Contents],
    *,
    midnight: int,
    oldest_ns: int = 0,
    now_ns: int = 0,
    max_ahead_ns: int = 0,
) -> Restored: ...
