from enum import IntEnum

KINDS: tuple[str, ...]

class EventKind(IntEnum):
    EVENT_NONE = 0
    EVENT_TRADE = 1
    EVENT_PRINT = 2
    EVENT_QUOTE = 3
    EVENT_STATUS = 4
    EVENT_CORRECTION = 5
    EVENT_CANCELLED = 6
    EVENT_CORRECTED = 7
    EVENT_DAY = 8
    EVENT_ROW = 9
    EVENT_FEED = 10
    EVENT_GAP = 11
    EVENT_LAPPED = 12
