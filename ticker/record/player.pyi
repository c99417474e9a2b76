from array import array

from ticker.record.events import Events
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

class Player:
    events: int
    no_room: int
    written: int
    silent: bool
    def __init__(
        self,
        mapping: Mapping,
        ringer: DoorbellRinger | None = None,
        *,
        shift: int = 0,
        faulty: bool = False,
    ) -> None: ...
    def play(
        self, events: Events, start: int, stop: int, order: array[int] | None = None
    ) -> None: ...
    def flush(self) -> None: ...
    def speak(self) -> None: ...
