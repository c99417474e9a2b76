from ticker.shm.header import Mapping

MOST_IDS: int

class TradeIds:
    def __init__(self, mapping: Mapping, most: int) -> None: ...
