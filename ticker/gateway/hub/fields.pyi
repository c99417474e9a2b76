from enum import IntEnum

CHANNEL_NAMES: tuple[str, ...]

class Channel(IntEnum):
    CHANNEL_PRICE = 0
    CHANNEL_QUOTE = 1
    CHANNEL_TRADES = 2
    CHANNELS = 3
