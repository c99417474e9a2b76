from collections.abc import Mapping
from enum import IntEnum

class Of(IntEnum):
    OF_PRICE = 0
    OF_SIZE = 1
    OF_WHOLE_SIZE = 2
    OF_FRACTIONAL_SIZE = 3
    OF_TIME = 4
    OF_VENUE = 5
    OF_TRADE_ID = 6
    OF_NEW_TRADE_ID = 7
    OF_SEQ = 8
    OF_CONDITIONS = 9
    OF_OLD_PRICE = 10
    OF_OLD_SIZE = 11
    OF_OLD_CONDITIONS = 12
    OF_TAPE = 13
    OF_BID = 14
    OF_BID_SIZE = 15
    OF_BID_VENUE = 16
    OF_ASK = 17
    OF_ASK_SIZE = 18
    OF_ASK_VENUE = 19
    OF_QUOTE_TIME = 20
    OF_QUOTES = 21
    OF_CANCEL_ACTION = 22
    OF_COUNT = 23

def declare_form(
    encoding: int,
    channel: int,
    message: int,
    type_key: str,
    type_name: str,
    symbol_key: str,
    fields: Mapping[str, int],
) -> None: ...
