from ticker.feeds.iex.messages import IexProtocol

class Deep(IexProtocol):
    @property
    def waiting(self) -> int: ...
