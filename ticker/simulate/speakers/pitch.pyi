from ticker.simulate.market.framed import FramedMarket

UNIT_LIMIT: int

class PitchMarket(FramedMarket):
    def __init__(
        self,
        symbols: int,
        seed: int = 1,
        *,
        units: int = 4,
        messages: int = 0,
        rate: float = 1000.0,
        start: int = 0,
        visit_round: int = 2_000_000,
    ) -> None: ...
    def close(self) -> None: ...
    def image(self, unit: int) -> list[bytes]: ...

def parted(frames: bytes) -> list[bytes]: ...
