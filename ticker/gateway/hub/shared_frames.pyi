from ticker.gateway.bars.book import BarBook
from ticker.gateway.hub.sales import Sales
from ticker.gateway.hub.topics import Topics
from ticker.shm.header import Mapping

class SharedFrames:
    def __init__(self, topics: Topics, sales: Sales, bars: BarBook, segment: Mapping) -> None: ...
