from ticker.feeds.sequence.sequenced import Sequenced
from ticker.feeds.session import Session

class Channel(Sequenced):
    @property
    def number(self) -> int: ...

class Channels(Session): ...

def beginnings_of(state: bytes) -> int: ...
