from ticker.feeds.simulate.capture import PcapWriter

class IexMarket:
    def __init__(
        self, symbols: int, seed: int = 1, *, messages: int, midnight: int, protocol: str
    ) -> None: ...
    def generate(self, limit: int, buffer: bytearray | memoryview) -> tuple[int, int]: ...

class IexTpWriter(PcapWriter):
    def __init__(
        self, lines: list[tuple[str, int]], session: int, protocol: str, loss: float, seed: int
    ) -> None: ...
