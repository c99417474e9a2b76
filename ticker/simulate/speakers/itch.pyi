from ticker.simulate.market.framed import FramedMarket

class ItchMarket(FramedMarket):
    def __init__(
        self,
        symbols: int,
        seed: int = 1,
        *,
        messages: int = 0,
        rate: float = 1000.0,
        start: int = 0,
        visit_round: int = 2_000_000,
    ) -> None: ...
    def close(self) -> None: ...
    @property
    def opening(self) -> int: ...
    @property
    def said(self) -> int: ...
    @property
    def over(self) -> bool: ...
