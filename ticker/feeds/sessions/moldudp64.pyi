from ticker.feeds.session import Session

class MoldUDP64(Session):
    @property
    def known_end(self) -> int: ...
