from collections.abc import Mapping
from enum import IntEnum

class OfBar(IntEnum):
    OF_OPEN = 0
    OF_HIGH = 1
    OF_LOW = 2
    OF_CLOSE = 3
    OF_VOLUME = 4
    OF_WHOLE_VOLUME = 5
    OF_FRACTIONAL_VOLUME = 6
    OF_TRADES = 7
    OF_VWAP = 8
    OF_AVERAGE_SIZE = 9
    OF_START = 10
    OF_END = 11

def declare_bar(
    encoding: int,
    span: int,
    state: int,
    type_key: str,
    type_name: str,
    symbol_key: str,
    fields: Mapping[str, int],
) -> None: ...
