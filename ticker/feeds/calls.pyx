"""A market's calls for Python: for protocols that are written in it, and for tests.

The names, units and meanings are those of market.pxd, rows.pxd and sales.pxd; sides are BID and ASK, trade
flags the TRADE_* below. What C callers must not do, is refused here.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market cimport book as books
from ticker.feeds.market.market cimport Market
from ticker.feeds.market.trade_ids cimport joined_id as joined
from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME as COUNTS_VOLUME,
    TRADE_CROSS as CROSS,
    TRADE_EXTENDED as EXTENDED,
    TRADE_LAST_IF_ONLY as LAST_IF_ONLY,
    TRADE_LAST_IF_SAME as LAST_IF_SAME,
    TRADE_LAST_IN_TIME as LAST_IN_TIME,
    TRADE_ODD_LOT as ODD_LOT,
    TRADE_OFFICIAL_CLOSE as OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN as OFFICIAL_OPEN,
    TRADE_PRINTED as PRINTED,
    TRADE_REGULAR as REGULAR,
    TRADE_SETS_EXTENDED as SETS_EXTENDED,
    TRADE_SETS_LAST as SETS_LAST,
    TRADE_SETS_OPEN as SETS_OPEN,
    TRADE_SETS_RANGE as SETS_RANGE,
    TRADE_TOLD as TOLD,
)

NO_PRICE = books.NO_PRICE
BID = books.BID
ASK = books.ASK
TRADE_SETS_LAST = SETS_LAST
TRADE_SETS_OPEN = SETS_OPEN
TRADE_SETS_RANGE = SETS_RANGE
TRADE_COUNTS_VOLUME = COUNTS_VOLUME
TRADE_REGULAR = REGULAR
TRADE_PRINTED = PRINTED
TRADE_LAST_IF_ONLY = LAST_IF_ONLY
TRADE_ODD_LOT = ODD_LOT
TRADE_EXTENDED = EXTENDED
TRADE_TOLD = TOLD
TRADE_OFFICIAL_OPEN = OFFICIAL_OPEN
TRADE_OFFICIAL_CLOSE = OFFICIAL_CLOSE
TRADE_LAST_IF_SAME = LAST_IF_SAME
TRADE_LAST_IN_TIME = LAST_IN_TIME
TRADE_SETS_EXTENDED = SETS_EXTENDED
TRADE_CROSS = CROSS


def joined_id(first: int, second: int) -> int:
    """The number of a trade whose id has two parts, each of 64 bits; for more of them, join the
    result with the next."""
    return joined(first, second)


cdef class Calls:
    """The calls of `market`. Instruments are what `define` and `find` say.

    Raises:
        IndexError: the instrument is none of the market's.
        OverflowError: a number does not fit.
    """

    def __init__(self, Market market not None) -> None:
        self.market = market

    cdef int32_t _row(self, object instrument) except -1:
        if not 0 <= instrument < self.market.publisher.table.used:
            raise IndexError(f"instrument {instrument}: not of this market")
        return instrument

    def define(self, key: int, symbol: str, venue: str | None = None) -> int:
        """The instrument of a symbol, on the feed's venue or another one (a MIC), -1: no room
        for it. ValueError: cannot be one."""
        cdef bytes text = symbol.encode("ascii")
        if not 0 < len(text) < 24 or b"\0" in text:
            raise ValueError(f"symbol {symbol!r}: 1 to 23 ASCII characters")
        if venue is None:
            return self.market.rows.define(key, text, len(text))
        cdef bytes mic = venue.encode("ascii")
        if len(mic) != 4:
            raise ValueError(f"venue {venue!r}: a market identifier code, like XNAS")
        return self.market.rows.define_on(key, text, len(text), mic)

    def find(self, key: int) -> int:
        return self.market.rows.find(key)

    def set_test(self, instrument: int, test: bool) -> None:
        self.market.rows.set_test(self._row(instrument), test)

    def start_session(self, midnight: int) -> None:
        self.market.start_session(midnight)

    def add_order(
        self, instrument: int, reference: int, side: int, size: int, price: int, time: int
    ) -> None:
        self.market.add_order(
            self._row(instrument), reference, books.ASK if side else books.BID, size, price,
            time,
        )

    def execute_order(
        self, reference: int, size: int, match: int, time: int, received: int
    ) -> None:
        self.market.execute_order(reference, size, match, time, received)

    def execute_order_at(
        self, reference: int, size: int, price: int, match: int, flags: int, time: int,
        received: int,
    ) -> None:
        self.market.execute_order_at(reference, size, price, match, flags, time, received)

    def execute_order_remaining(
        self, reference: int, size: int, remaining: int, price: int, match: int, flags: int,
        time: int, received: int,
    ) -> None:
        self.market.execute_order_remaining(
            reference, size, remaining, price, match, flags, time, received
        )

    def reduce_order(self, reference: int, size: int, time: int) -> None:
        self.market.reduce_order(reference, size, time)

    def delete_order(self, reference: int, time: int) -> None:
        self.market.delete_order(reference, time)

    def modify_order(self, reference: int, size: int, price: int, time: int) -> None:
        self.market.modify_order(reference, size, price, time)

    def replace_order(
        self, reference: int, new_reference: int, size: int, price: int, time: int
    ) -> None:
        self.market.replace_order(reference, new_reference, size, price, time)

    def set_level(self, instrument: int, side: int, price: int, size: int, time: int) -> None:
        self.market.set_level(
            self._row(instrument), books.ASK if side else books.BID, price, size, time
        )

    def set_quote(
        self, instrument: int, bid: int, bid_size: int, ask: int, ask_size: int, time: int
    ) -> None:
        self.market.set_quote(self._row(instrument), bid, bid_size, ask, ask_size, time)

    def clear_instrument(self, instrument: int, time: int) -> None:
        self.market.clear_instrument(self._row(instrument), time)

    def clear_books(self) -> None:
        self.market.clear_books()

    def trade(
        self, instrument: int, price: int, size: int, match: int, flags: int, time: int,
        received: int,
    ) -> None:
        self.market.sales.trade(self._row(instrument), price, size, match, flags, time, received)

    def refuse_unknown(
        self, symbol: str, price: int, size: int, match: int, time: int, received: int
    ) -> None:
        cdef bytes text = symbol.encode("ascii", "replace")
        self.market.sales.refuse_unknown(text, len(text), price, size, match, time, received)

    def break_trade(self, instrument: int, match: int, time: int) -> None:
        self.market.sales.break_trade(
            -1 if instrument < 0 else self._row(instrument), match, time
        )

    def correct_trade(
        self, instrument: int, match: int, price: int, size: int, time: int
    ) -> None:
        self.market.sales.correct_trade(
            -1 if instrument < 0 else self._row(instrument), match, price, size, time
        )

    def set_round_lot(self, instrument: int, shares: int) -> None:
        self.market.sales.set_round_lot(self._row(instrument), shares)

    def set_previous_close(self, instrument: int, price: int) -> None:
        self.market.rows.set_previous_close(self._row(instrument), price)

    def set_status(self, instrument: int, status: int, time: int) -> None:
        self.market.rows.set_status(self._row(instrument), status, time)

    def set_status_all(self, status: int, time: int) -> None:
        self.market.rows.set_status_all(status, time)
