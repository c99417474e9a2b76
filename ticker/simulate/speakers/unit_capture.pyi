from ticker.simulate.lines.capture import PcapWriter

class UnitWriter(PcapWriter):
    def __init__(
        self, lines: list[tuple[str, int]], midnight: int, loss: float, seed: int
    ) -> None: ...
