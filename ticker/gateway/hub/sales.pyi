from ticker.gateway.hub.topics import Topics
from ticker.gateway.hub.trade_log import TradeLog
from ticker.gateway.prices.board import Board
from ticker.shm.header import Mapping

class Sales:
    def __init__(
        self, board: Board, topics: Topics, log: TradeLog, feeds: list[Mapping]
    ) -> None: ...
    def add_feed(self, mapping: Mapping) -> None: ...
    def renew(self, symbols: list[int]) -> None: ...
