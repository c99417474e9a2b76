from ticker.record.columns import Columns
from ticker.shm.header import Mapping

DONE: int
FULL: int
NEXT_HOUR: int

class Gather:
    rows: int
    time: int
    hour: int
    lapped: int
    waiting: int
    columns: Columns
    def __init__(self, mapping: Mapping, batch: int) -> None: ...
    def sweep(self) -> int: ...
    def emit(self, *, whole: bool = False) -> int: ...
    def begin_hour(self) -> None: ...
    def look(self) -> None: ...
    def state(self, row: int) -> dict[str, int]: ...
