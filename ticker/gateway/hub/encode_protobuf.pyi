from enum import IntEnum

class Number(IntEnum):
    SYMBOL = 1
    PRICE = 2
    TIMESTAMP = 3
    SEQ = 4
    CHANNEL = 5
    SIZE = 6
    VENUE = 7
    VOLUME = 8
    TRADES = 9
    BID = 10
    BID_SIZE = 11
    ASK = 12
    ASK_SIZE = 13
    OPEN = 14
    HIGH = 15
    LOW = 16
    PREVIOUS_CLOSE = 17
    OFFICIAL_CLOSE = 18
    EXTENDED_PRICE = 19
    EXTENDED_TIMESTAMP = 20
    VOLUME_HIGH = 21
    TRADE_ID = 22
    NEW_TRADE_ID = 23
    ELIGIBLE = 24
    SIZE_EXPONENT = 100
