from ticker.gateway.hub.trade_log import TradeLog
from ticker.gateway.prices.board import Board
from ticker.shm.header import Mapping

class Topics:
    def __init__(
        self, board: Board, segment: Mapping, feeds: list[Mapping], log: TradeLog
    ) -> None: ...
