from ticker.gateway.bars.book import BarBook
from ticker.gateway.books.views import Views
from ticker.gateway.hub.sales import Sales
from ticker.gateway.hub.topics import Topics
from ticker.gateway.prices.board import Board
from ticker.shm.header import Mapping

class Intake:
    views: Views
    def __init__(
        self,
        board: Board,
        topics: Topics,
        sales: Sales,
        bars: BarBook,
        feeds: list[Mapping],
        segment: Mapping,
    ) -> None: ...
    def add_feed(self, feed: int, mapping: Mapping) -> None: ...
    def remove_feed(self, feed: int) -> None: ...
    def open_view(self, symbol: int, venue: str, levels: int) -> int: ...
