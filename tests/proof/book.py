"""A venue in plain Python: orders, quotes, trades and what a row must show, the slow way.

Written from the specifications and docs/consolidation.md; it imports nothing of ticker. Every
figure of the day is computed anew from the list of all trades whenever one is taken back.
Prices are integers of 1e-9, times ns since the epoch.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

BID, ASK = 0, 1


class State(NamedTuple):
    """What a venue's row shows of a symbol."""

    seq: int = 0
    price: int = 0
    size: int = 0
    exchange_time: int = 0
    volume: int = 0
    trades: int = 0
    open: int = 0
    open_time: int = 0
    high: int = 0
    low: int = 0
    bid: int = 0
    bid_size: int = 0
    ask: int = 0
    ask_size: int = 0
    official_open: int = 0
    official_close: int = 0
    extended_price: int = 0
    extended_time: int = 0


class Hours(NamedTuple):
    """The regular session of a venue that marks neither extended hours nor odd lots."""

    opens: int
    closes: int


@dataclass
class Trade:
    match: object
    price: int
    size: int
    time: int
    eligible: bool  # for last, open, high and low; all count for volume
    received: int
    opening: bool = False
    """Its price is the official open."""
    closing: bool = False
    extended: bool = False
    """Of extended hours, and it would be a last sale otherwise."""


@dataclass
class Instrument:
    """One symbol of one venue, with all that happened to it."""

    levels: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    tape: list[Trade] = field(default_factory=list)
    state: State = field(default_factory=State)
    received: int = 0
    """Of the last sale."""
    history: list[State] = field(default_factory=lambda: [State()])
    """Every state that it passed through, in order."""
    sales: list[tuple[int, int, int, int, bool]] = field(default_factory=list)
    """Every trade that counted: seq, price, size, time, eligible."""
    taken_back: list[Trade] = field(default_factory=list)
    said_open: tuple[int, int] | None = None
    """Official open and its time, where a message says it."""
    listed: bool = False
    """The venue lists it."""
    said_close: int = 0
    round_lot: int = 0
    """Shares, as its directory says; 0: it does not."""


class Venue:
    """Order references are the venue's own; what touched a symbol is told by `touched`."""

    def __init__(self, mic: str, hours: Hours | None = None) -> None:
        self.mic = mic
        self.hours = hours
        self.symbols: dict[str, Instrument] = defaultdict(Instrument)
        self.orders: dict[int, tuple[str, int, int, int]] = {}
        self.touched: set[str] = set()

    # orders

    def add(self, symbol: str, reference: int, side: int, size: int, price: int) -> None:
        assert reference not in self.orders
        self.orders[reference] = (symbol, side, size, price)
        self._level(symbol, side, price, size)

    def remove(self, reference: int, size: int | None = None) -> tuple[str, int, int, int]:
        """Take `size` off an order, all of it by default; what the order was before."""
        before = symbol, side, left, price = self.orders.pop(reference)
        taken = left if size is None else size
        assert 0 < taken <= left, (reference, taken, left)
        if taken < left:
            self.orders[reference] = (symbol, side, left - taken, price)
        self._level(symbol, side, price, -taken)
        return before

    def _level(self, symbol: str, side: int, price: int, change: int) -> None:
        levels = self.symbols[symbol].levels[side]
        size = levels.get(price, 0) + change
        assert size >= 0
        if size:
            levels[price] = size
        else:
            del levels[price]
        bids, asks = self.symbols[symbol].levels
        bid, ask = max(bids, default=0), min(asks, default=0)
        self.quote(symbol, bid, bids.get(bid, 0), ask, asks.get(ask, 0))

    def quote(self, symbol: str, bid: int, bid_size: int, ask: int, ask_size: int) -> None:
        self._show(symbol, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)

    # trades

    def trade(
        self, symbol: str, match: object, price: int, size: int, time: int, received: int,
        eligible: bool = True, auction: str = "", outside: bool = False,
    ) -> None:  # fmt: skip
        """`auction`: "" for none, else which; `outside`: it is marked to be of extended hours."""
        of = self.symbols[symbol]
        late, odd = outside, False
        if self.hours is not None:
            late = not auction and not self.hours.opens <= time < self.hours.closes
            odd = size < (of.round_lot or usual_lot(of.state.price or price))
            eligible = not late and not odd
        assert not eligible or time >= of.state.exchange_time, "a venue's own sales are in order"
        opening, closing = (auction == kind and not odd for kind in ("opening", "closing"))
        of.tape.append(
            Trade(match, price, size, time, eligible, received, opening, closing, late and not odd)
        )
        of.sales.append((of.state.seq + 1, price, size, time, eligible))
        self._show(symbol, seq=of.state.seq + 1, **self._day(of))

    def take_back(self, symbol: str | None, match: object) -> None:
        names = self.symbols if symbol is None else [symbol]
        for name in names:
            of = self.symbols[name]
            for trade in of.tape:
                if trade.match == match:
                    of.tape.remove(trade)
                    of.taken_back.append(trade)
                    self._show(name, **self._day(of))
                    return

    def opened(self, symbol: str, price: int, time: int) -> None:
        """A message says the official open."""
        of = self.symbols[symbol]
        of.said_open = price, time
        self._show(symbol, **self._day(of))

    def closed(self, symbol: str, price: int) -> None:
        """A message says the official close."""
        of = self.symbols[symbol]
        of.said_close = price
        self._show(symbol, **self._day(of))

    @staticmethod
    def _day(of: Instrument) -> dict[str, int]:
        """Everything that the trades say that are left."""
        sales = [trade for trade in of.tape if trade.eligible]
        crosses = [(trade.price, trade.time) for trade in of.tape if trade.opening]
        official = of.said_open or (crosses[-1] if crosses else None)
        first = (sales[0].price, sales[0].time) if sales else (0, 0)
        closes = [trade.price for trade in of.tape if trade.closing]
        beyond = [trade for trade in of.tape if trade.extended]
        newest = max(reversed(beyond), key=lambda trade: trade.time, default=None)
        of.received = sales[-1].received if sales else 0
        return {
            "price": sales[-1].price if sales else 0,
            "size": sales[-1].size if sales else 0,
            "exchange_time": sales[-1].time if sales else 0,
            "volume": sum(trade.size for trade in of.tape),
            "trades": len(of.tape),
            "open": (official or first)[0],
            "open_time": (official or first)[1],
            "official_open": official[0] if official else 0,
            "official_close": of.said_close or (closes[-1] if closes else 0),
            "extended_price": newest.price if newest else 0,
            "extended_time": newest.time if newest else 0,
            "high": max((trade.price for trade in sales), default=0),
            "low": min((trade.price for trade in sales), default=0),
        }

    def _show(self, symbol: str, **changes: int) -> None:
        of = self.symbols[symbol]
        of.state = of.state._replace(**changes)
        self.touched.add(symbol)

    def end_of_message(self) -> set[str]:
        """The symbols that the message touched; their states become history."""
        touched, self.touched = self.touched, set()
        for symbol in touched:
            of = self.symbols[symbol]
            if of.history[-1] != of.state:
                of.history.append(of.state)
        return touched


def usual_lot(price: int) -> int:
    """Shares of a round lot, by Regulation NMS, Rule 600(b)(93)."""
    dollars = price / 1_000_000_000
    return 100 if dollars <= 250 else 40 if dollars <= 1000 else 10 if dollars <= 10_000 else 1


class Shown(NamedTuple):
    """A consolidated price, whose last sale, bid and ask it is. None: there is no such price."""

    price: int | None
    size: int
    exchange_time: int
    venue: str
    volume: int
    trades: int
    seq: int
    open: int | None
    high: int | None
    low: int | None
    official_close: int | None
    extended_price: int | None
    bid: int | None
    bid_size: int
    bid_venue: str
    ask: int | None
    ask_size: int
    ask_venue: str


class Side(NamedTuple):
    """One venue's part in a consolidated price."""

    mic: str
    state: State
    received: int
    live: bool
    listed: bool


def consolidate(sides: list[Side]) -> Shown:
    """docs/consolidation.md, of venues in the order of the configuration, all in one session."""
    sold = [side for side in sides if side.state.price]
    last = None
    for side in sold:
        when = (side.state.exchange_time, side.received)
        if last is None or when > (last.state.exchange_time, last.received):
            last = side
    official = [side.state for side in sides if side.listed and side.state.official_open]
    opens = official or [side.state for side in sides if side.state.open]
    opened = min(opens, key=lambda state: state.open_time, default=None)
    closed = [side for side in sides if side.state.official_close]
    closed.sort(key=lambda side: not side.listed)
    beyond = [side.state for side in sides if side.state.extended_price]
    outside = max(beyond, key=lambda state: state.extended_time, default=None)
    quoting = [side for side in sides if side.live] or sides
    bid = max((side.state.bid for side in quoting), default=0)
    ask = min((side.state.ask for side in quoting if side.state.ask), default=0)
    bids = [(side.state.bid_size, side.mic) for side in quoting if bid and side.state.bid == bid]
    asks = [(side.state.ask_size, side.mic) for side in quoting if ask and side.state.ask == ask]
    return Shown(
        price=last.state.price if last else None,
        size=last.state.size if last else 0,
        exchange_time=last.state.exchange_time if last else 0,
        venue=last.mic if last else sides[0].mic,
        volume=sum(side.state.volume for side in sides),
        trades=sum(side.state.trades for side in sides),
        seq=sum(side.state.seq for side in sides),
        open=opened.open if opened else None,
        high=max((side.state.high for side in sides if side.state.high), default=None),
        low=min((side.state.low for side in sides if side.state.low), default=None),
        official_close=closed[0].state.official_close if closed else None,
        extended_price=outside.extended_price if outside else None,
        bid=bid or None,
        bid_size=sum(size for size, _ in bids),
        bid_venue=max(bids, key=lambda each: each[0])[1] if bids else "",
        ask=ask or None,
        ask_size=sum(size for size, _ in asks),
        ask_venue=max(asks, key=lambda each: each[0])[1] if asks else "",
    )
