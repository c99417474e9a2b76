from ticker.feeds.iex import IexProtocol

class Deep(IexProtocol):
    @property
    def waiting(self) -> int: ...
