from ticker.gateway.connection import ConnectionTable
from ticker.gateway.shared_frames import SharedFrames
from ticker.gateway.topics import Topics
from ticker.shm.header import Mapping

class Subscriptions:
    def __init__(
        self,
        topics: Topics,
        frames: SharedFrames,
        connections: ConnectionTable,
        segment: Mapping,
        *args: object,
    ) -> None: ...
    def unsubscribe(self, number: int, symbols: list[int], channel: int) -> list[int]: ...
    def subscribed(self, number: int, channel: int) -> list[int]: ...
    def subscription_count(self, number: int) -> int: ...
    def subscribers(self, symbol: int) -> set[int]: ...
