from ticker.gateway.prices.board import Board
from ticker.shm.header import Mapping

class BarBook:
    def __init__(self, board: Board, bars: Mapping | None, segment: Mapping) -> None: ...
    @property
    def enabled(self) -> bool: ...
