from enum import IntEnum

CHANNEL_NAMES: tuple[str, ...]
FIRST_BARS_CHANNEL: int
MESSAGE_NAMES: tuple[str, ...]

class Channel(IntEnum):
    CHANNEL_PRICE = 0
    CHANNEL_QUOTE = 1
    CHANNEL_TRADES = 2
    CHANNEL_DEPTH = 3
    CHANNEL_MOVERS = 4
    CHANNELS = 5

class Message(IntEnum):
    MESSAGE_UPDATE = 0
    MESSAGE_SNAPSHOT = 1
    MESSAGE_CORRECTION = 2
    MESSAGE_CANCEL = 3
