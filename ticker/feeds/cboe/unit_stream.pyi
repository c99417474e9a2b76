from ticker.feeds.sequence.channels import Channel

class UnitStream(Channel):
    @property
    def damaged(self) -> bool: ...
    @property
    def waiting(self) -> bool: ...
