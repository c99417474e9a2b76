from ticker.simulate.market.levels import LevelMarket

class FixMarket(LevelMarket):
    def __init__(self, symbols: int, seed: int = 1, *, messages: int, midnight: int) -> None: ...
