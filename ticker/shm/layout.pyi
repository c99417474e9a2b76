from enum import IntEnum

VALUE_WORDS: int
RECORD_WORDS: int
TRADING_STATUSES: tuple[str, ...]
FEED_STATES: tuple[str, ...]
PHASES: tuple[str, ...]
REJECT_REASONS: tuple[str, ...]

class FeedLiveness(IntEnum):
    FEED_STARTING = 0
    FEED_RECOVERING = 1
    FEED_LIVE = 2
    FEED_STALE = 3
    FEED_ENDED = 4

class MarketPhase(IntEnum):
    PHASE_UNKNOWN = 0
    PHASE_CLOSED = 1
    PHASE_PRE = 2
    PHASE_OPEN = 3
    PHASE_BREAK = 4
    PHASE_POST = 5

class TradingStatus(IntEnum):
    STATUS_UNKNOWN = 0
    STATUS_TRADING = 1
    STATUS_HALTED = 2
    STATUS_PAUSED = 3
    STATUS_QUOTE_ONLY = 4
    STATUS_CLOSED = 5

class RowFlag(IntEnum):
    ROW_STALE = 1
    ROW_TEST = 2
    ROW_SHARED_MICROSECOND = 4
    ROW_LISTED = 8
    ROW_HELD_ONE = 16
    ROW_HELD = 48

class RecordKind(IntEnum):
    RECORD_TRADE = 1
    RECORD_PRINT = 2
    RECORD_QUOTE = 3
    RECORD_STATUS = 4
    RECORD_CORRECTION = 5

class RejectRule(IntEnum):
    REJECT_DUPLICATE = 0
    REJECT_BAD_PRICE = 1
    REJECT_BAD_SIZE = 2
    REJECT_OLDER = 3
    REJECT_UNCONFIRMED_JUMP = 4
    REJECT_CLOCK_SKEW = 5
    REJECT_UNKNOWN_SYMBOL = 6
    REJECT_TEST_SYMBOL = 7
    REJECT_WRONG_SESSION = 8
    REJECT_TOO_OLD_TO_TELL = 9
    REJECT_RULES = 10

def names_of(members: type, prefix: str, end: str = "") -> tuple[str, ...]: ...
