from ticker.simulate.lines.capture import PcapWriter
from ticker.simulate.market.levels import LevelMarket

class IexMarket(LevelMarket):
    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int, protocol: str
    ) -> None: ...

class IexTpWriter(PcapWriter):
    def __init__(
        self, lines: list[tuple[str, int]], session: int, protocol: str, loss: float, seed: int
    ) -> None: ...
