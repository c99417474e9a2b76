from ticker.feeds.sequenced import Sequenced
from ticker.feeds.session import Session

class XdpChannel(Sequenced):
    @property
    def number(self) -> int: ...

class Xdp(Session):
    channels_by_destination: bool
    @property
    def channel_numbers(self) -> list[int]: ...
