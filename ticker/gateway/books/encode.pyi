from enum import IntEnum

class BookNumber(IntEnum):
    BOOK_SYMBOL = 1
    BOOK_TIMESTAMP = 2
    BOOK_SEQ = 3
    BOOK_LEVELS = 4
    BOOK_VENUE = 5
    BOOK_BIDS = 6
    BOOK_ASKS = 7
    BOOK_PREVIOUS_SEQ = 8
    BOOK_SIZE_EXPONENT = 100
    LEVEL_PRICE = 1
    LEVEL_SIZE = 2
    MESSAGE_DEPTH = 17
    MESSAGE_DELTA = 18

def encoded_book(
    encoding: int,
    symbol: str,
    venue: str,
    time: int,
    seq: int,
    previous_seq: int | None,
    levels: int,
    size_exponent: int,
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
) -> bytes: ...
