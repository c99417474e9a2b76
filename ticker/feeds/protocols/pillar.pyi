from ticker.feeds.protocol import Protocol

MESSAGE_LENGTHS: dict[int, int]

class Pillar(Protocol):
    @property
    def message_counts(self) -> dict[int, int]: ...
