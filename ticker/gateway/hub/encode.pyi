from enum import IntEnum

class Room(IntEnum):
    PRICE_ROOM = 320
    TRADE_ROOM = 448
    QUOTE_ROOM = 1280

def encoded(
    encoding: int, channel: int, message: int, symbol: str, venue: str = "", **values: int | None
) -> bytes: ...
def lagged(encoding: int, symbol: str, skipped: int) -> bytes: ...
