from ticker.feeds.sequence.channels import Channel, Channels

class XdpChannel(Channel): ...

class Xdp(Channels):
    channels_by_destination: bool
    @property
    def channel_numbers(self) -> list[int]: ...
