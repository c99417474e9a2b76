from enum import IntEnum

class BarRoom(IntEnum):
    BAR_ROOM = 768

class BarNumber(IntEnum):
    BAR_SYMBOL = 1
    BAR_CHANNEL = 2
    BAR_INTERVAL = 3
    BAR_START = 4
    BAR_STATE = 5
    BAR_OPEN = 6
    BAR_HIGH = 7
    BAR_LOW = 8
    BAR_CLOSE = 9
    BAR_VOLUME = 10
    BAR_TRADES = 11
    BAR_VWAP = 12
    BAR_TIMESTAMP = 13
    BAR_REVISION = 14
    BAR_EXACT = 15
    BAR_COMPLETE = 16
    BAR_VOLUME_HIGH = 21
    BAR_SIZE_EXPONENT = 100
    MESSAGE_BAR = 19

INTERVALS: tuple[str, ...]
STATES: tuple[str, ...]

def encoded_bar(encoding: int, symbol: str, span: int, **words: int) -> bytes: ...
