from ticker.simulate.lines.capture import PcapWriter
from ticker.simulate.market.framed import FramedMarket

class PillarMarket(FramedMarket):
    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int, channels: int
    ) -> None: ...

class XdpWriter(PcapWriter):
    def __init__(
        self, lines: list[list[tuple[str, int]]], midnight: int, loss: float, seed: int
    ) -> None: ...
