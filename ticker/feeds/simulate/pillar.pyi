from ticker.feeds.simulate.capture import PcapWriter

class PillarMarket:
    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int, channels: int
    ) -> None: ...
    def generate(self, limit: int, buffer: bytearray | memoryview) -> tuple[int, int]: ...

class XdpWriter(PcapWriter):
    def __init__(
        self, lines: list[list[tuple[str, int]]], midnight: int, loss: float, seed: int
    ) -> None: ...
