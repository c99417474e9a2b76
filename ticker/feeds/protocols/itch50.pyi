from ticker.feeds.protocol import Protocol

MESSAGE_LENGTHS: dict[str, int]

class Itch50(Protocol):
    @property
    def message_counts(self) -> dict[str, int]: ...
