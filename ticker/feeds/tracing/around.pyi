from ticker.feeds.protocol import Protocol

class Around(Protocol):
    def __init__(self, decoder: Protocol) -> None: ...
