from ticker.feeds.market.market import Market

BID: int
ASK: int
NO_PRICE: int
TRADE_SETS_LAST: int
TRADE_SETS_OPEN: int
TRADE_SETS_RANGE: int
TRADE_COUNTS_VOLUME: int
TRADE_REGULAR: int
TRADE_PRINTED: int
TRADE_LAST_IF_ONLY: int
TRADE_ODD_LOT: int
TRADE_EXTENDED: int
TRADE_TOLD: int
TRADE_OFFICIAL_OPEN: int
TRADE_OFFICIAL_CLOSE: int
TRADE_LAST_IF_SAME: int
TRADE_LAST_IN_TIME: int
TRADE_SETS_EXTENDED: int
TRADE_CROSS: int

def joined_id(first: int, second: int) -> int: ...

class Calls:
    def __init__(self, market: Market) -> None: ...
    def define(self, key: int, symbol: str, venue: str | None = None) -> int: ...
    def find(self, key: int) -> int: ...
    def set_test(self, instrument: int, test: bool) -> None: ...
    def start_session(self, midnight: int) -> None: ...
    def add_order(
        self, instrument: int, reference: int, side: int, size: int, price: int, time: int
    ) -> None: ...
    def execute_order(
        self, reference: int, size: int, match: int, time: int, received: int
    ) -> None: ...
    def execute_order_at(
        self,
        reference: int,
        size: int,
        price: int,
        match: int,
        flags: int,
        time: int,
        received: int,
    ) -> None: ...
    def execute_order_remaining(
        self,
        reference: int,
        size: int,
        remaining: int,
        price: int,
        match: int,
        flags: int,
        time: int,
        received: int,
    ) -> None: ...
    def reduce_order(self, reference: int, size: int, time: int) -> None: ...
    def delete_order(self, reference: int, time: int) -> None: ...
    def modify_order(self, reference: int, size: int, price: int, time: int) -> None: ...
    def replace_order(
        self, reference: int, new_reference: int, size: int, price: int, time: int
    ) -> None: ...
    def set_level(self, instrument: int, side: int, price: int, size: int, time: int) -> None: ...
    def set_quote(
        self, instrument: int, bid: int, bid_size: int, ask: int, ask_size: int, time: int
    ) -> None: ...
    def clear_instrument(self, instrument: int, time: int) -> None: ...
    def clear_books(self) -> None: ...
    def trade(
        self,
        instrument: int,
        price: int,
        size: int,
        match: int,
        flags: int,
        time: int,
        received: int,
    ) -> None: ...
    def refuse_unknown(
        self, symbol: str, price: int, size: int, match: int, time: int, received: int
    ) -> None: ...
    def break_trade(self, instrument: int, match: int, time: int) -> None: ...
    def correct_trade(
        self, instrument: int, match: int, price: int, size: int, time: int
    ) -> None: ...
    def set_round_lot(self, instrument: int, shares: int) -> None: ...
    def set_previous_close(self, instrument: int, price: int) -> None: ...
    def set_status(self, instrument: int, status: int, time: int) -> None: ...
    def set_status_all(self, status: int, time: int) -> None: ...
