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
    SIZE_EXPONENT = 100
