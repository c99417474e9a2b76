from enum import IntEnum

ENCODING_NAMES: tuple[str, ...]
CHANNEL_NAMES: tuple[str, ...]

class Encoding(IntEnum):
    PLAIN = 0
    JSON = 1
    MSGPACK = 2
    PROTOBUF = 3
    ENCODINGS = 4

class Channel(IntEnum):
    CHANNEL_PRICE = 0
    CHANNEL_QUOTE = 1
    CHANNEL_TRADES = 2
    CHANNELS = 3

def encoded(
    encoding: int, channel: int, snapshot: bool, symbol: str, venue: str = "", **values: int
) -> bytes: ...
def lagged(encoding: int, symbol: str, skipped: int) -> bytes: ...
