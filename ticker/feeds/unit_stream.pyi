from ticker.feeds.sequenced import Sequenced
from ticker.feeds.session import Session

class Units(Session): ...

class UnitStream(Sequenced):
    @property
    def unit(self) -> int: ...
    @property
    def waiting(self) -> bool: ...
