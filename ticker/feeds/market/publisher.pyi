from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

class Publisher:
    def __init__(self, mapping: Mapping, ringer: DoorbellRinger | None = None) -> None: ...
    @property
    def last_publish_time(self) -> int: ...
