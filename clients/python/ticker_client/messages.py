"""What the server says, as types. Made by generate.py from the server's own; do not edit.

A server that is newer may say more: what is not known here is left out.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_ID = 64
Symbol = Annotated[
    str,
    Meta(
        pattern=r"^[ -~]{1,23}$(?!\n)",
        description="a symbol, exactly as /symbols has it: 1 to 23 printable ASCII characters",
    ),
]
Id = Annotated[
    Annotated[str, Meta(max_length=MAX_ID)] | Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)],
    Meta(description="chosen by the client, echoed in the answer"),
]
Price = Annotated[Decimal, Meta(description="exact decimal", extra={"unit": "price"})]
Size = Annotated[
    Decimal, Meta(description="exact decimal, whole shares as a rule", extra={"unit": "size"})
]
Time = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]
LastPrice = Annotated[
    Price | None,
    Meta(
        description="of the last trade; null: every trade was broken, or all trades so far were "
        "outside of regular hours"
    ),
]
TradesSoFar = Annotated[int, Meta(ge=0, description="trades so far, all venues")]
Venue = Annotated[str, Meta(description="ISO 10383 MIC of the trade")]
TradeId = Annotated[
    str, Meta(pattern=r"^[0-9]{1,20}$(?!\n)", description="the venue's number of the trade")
]
Channel = Literal["price", "quote", "trades", "depth", "movers", "bars"]
Interval = Literal["1s", "1m", "5m", "1h", "1d"]
OfBars = Annotated[Interval, Meta(description="of `bars`, and of no other channel")]
Levels = Annotated[int, Meta(ge=1, le=50, description="on `depth`: levels of each side")]
OneVenue = Annotated[
    str, Meta(pattern=r"^[A-Z0-9]{4}$(?!\n)", description="on `depth`: one MIC; absent: all")
]
Limit = Annotated[
    int, Meta(ge=1, le=25, description="on `movers`: symbols of each list; default 10")
]
BookSeq = Annotated[int, Meta(ge=0, description="changes of the book so far; it only grows")]
Pace = Annotated[
    Literal["immediate", "steady", "saver"],
    Meta(description="each change as it comes; as the server's load allows; once a second"),
]
State = Literal["live", "quiet", "unconfirmed", "halted", "paused", "stale", "closed"]


class Message(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower, omit_defaults=True
):
    """A message of the server."""


class Snapshot(Message, frozen=True, kw_only=True):
    """A symbol's newest price: the first message of a subscription, and after a reconnect."""

    symbol: Symbol
    price: LastPrice
    timestamp: Time
    seq: TradesSoFar | UnsetType = UNSET
    channel: (
        Annotated[Literal["quote", "trades"], Meta(description="absent: price")] | UnsetType
    ) = UNSET
    size: Size | UnsetType = UNSET
    venue: Venue | UnsetType = UNSET
    volume: Size | UnsetType = UNSET
    trades: Count | UnsetType = UNSET
    bid: Price | UnsetType = UNSET
    bid_size: Size | UnsetType = UNSET
    ask: Price | UnsetType = UNSET
    ask_size: Size | UnsetType = UNSET
    open: Price | UnsetType = UNSET
    high: Price | UnsetType = UNSET
    low: Price | UnsetType = UNSET
    previous_close: Price | UnsetType = UNSET
    official_close: Price | UnsetType = UNSET
    extended_price: (
        Annotated[Price, Meta(description="last trade outside of regular hours")] | UnsetType
    ) = UNSET
    extended_timestamp: Time | UnsetType = UNSET
    trade_id: TradeId | UnsetType = UNSET


class Update(Snapshot, frozen=True, kw_only=True):
    """A newer price, or the valid price after a broken trade; on `trades`, one trade."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one connection."""

    symbols: Count
    message: Annotated[int, Meta(ge=0, description="bytes")]
    outbound: Annotated[int, Meta(ge=0, description="bytes that may wait")]
    commands_per_second: float
    commands_burst: Count
    max_rate: Annotated[float, Meta(description="updates per second per symbol")]
    slow_timeout: Annotated[float, Meta(description="seconds without draining")]


class Hello(Message, frozen=True, kw_only=True):
    """The first message of a connection."""

    protocol: str
    epoch: Annotated[int, Meta(ge=0, description="names this run of the server, or its cluster")]
    limits: Limits
    heartbeat: Annotated[float, Meta(description="seconds; after twice as long, reconnect")]
    auth: Annotated[bool, Meta(description="a token is needed")]
    connection: Annotated[int, Meta(ge=0, description="its name, for /lineage")] | UnsetType = UNSET


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that was not taken."""

    symbol: Symbol
    code: int


class Unsubscribed(Message, frozen=True, kw_only=True):
    """Answer to unsubscribe."""

    id: Id | UnsetType = UNSET
    symbols: list[Symbol]
    rejected: list[Rejected]
    channel: Channel | UnsetType = UNSET
    interval: OfBars | UnsetType = UNSET
    venue: OneVenue | UnsetType = UNSET


class Subscribed(Unsubscribed, frozen=True, kw_only=True):
    """Answer to subscribe: the symbols taken, and those rejected."""

    levels: Levels | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET


class Recovered(Subscribed, frozen=True, kw_only=True):
    """Answer to reconnect."""


class Configured(Message, frozen=True, kw_only=True):
    """Answer to configure: the settings that are valid from now on."""

    id: Id | UnsetType = UNSET
    max_rate: float
    batch: bool
    pace: Pace


class Status(Message, frozen=True, kw_only=True):
    """A symbol, a feed or a market has changed its state."""

    symbol: Symbol | UnsetType = UNSET
    feed: str | UnsetType = UNSET
    market: str | UnsetType = UNSET
    state: State
    phase: (
        Annotated[str, Meta(description="of a market: closed, pre, open, break, post, or unknown")]
        | UnsetType
    ) = UNSET


class Lagged(Message, frozen=True, kw_only=True):
    """Trades, corrections and cancels that were skipped for this connection."""

    symbol: Symbol | UnsetType = UNSET
    skipped: Count


class Heartbeat(Message, frozen=True, kw_only=True):
    """Sent when no other message was sent for a while."""

    timestamp: Time


class Pong(Message, frozen=True, kw_only=True):
    """Answer to ping."""

    id: Id | UnsetType = UNSET


class Goodbye(Message, frozen=True, kw_only=True):
    """The server is about to close; reconnect after `retry_after` seconds."""

    reason: Literal["shutdown", "restart", "overload"]
    retry_after: Annotated[float, Meta(ge=0, description="seconds, different for each client")]


class Error(Message, frozen=True, kw_only=True):
    """A refused command; it changed nothing."""

    code: int
    reason: str
    message: str
    id: Id | UnsetType = UNSET
    symbol: str | UnsetType = UNSET


class Cancel(Message, frozen=True, kw_only=True):
    """On `trades`: a venue broke a trade. Price and size are those of the broken trade."""

    symbol: Symbol
    price: Price
    timestamp: Annotated[Time, Meta(description="of the message, not of the trade")]
    seq: TradesSoFar
    channel: Literal["trades"]
    size: Size
    venue: Venue | UnsetType = UNSET
    trade_id: TradeId


class Correction(Cancel, frozen=True, kw_only=True):
    """On `trades`: a venue corrected a trade. The new price and size replace the old ones."""

    new_trade_id: (
        Annotated[TradeId, Meta(description="the trade's number from now on, if it changes")]
        | UnsetType
    ) = UNSET
    eligible: (
        Annotated[bool, Meta(description="false: the trade no longer sets the last price")]
        | UnsetType
    ) = UNSET


class LiveBar(Message, frozen=True, kw_only=True, tag="bar"):
    """On `bars`: a bar as it is now. A later message of the same `start` replaces it."""

    symbol: Symbol
    channel: Literal["bars"]
    interval: Interval
    start: Time
    state: Annotated[
        Literal["forming", "final", "updated"],
        Meta(description="its time is not over; it is over; it changed after that"),
    ]
    open: Price | UnsetType = UNSET
    high: Price | UnsetType = UNSET
    low: Price | UnsetType = UNSET
    close: Price | UnsetType = UNSET
    volume: Size
    trades: Count
    vwap: Price | UnsetType = UNSET
    timestamp: Annotated[Time, Meta(description="of its newest trade")]
    revision: Annotated[int, Meta(ge=0, description="changes after its time was over")]
    exact: Annotated[bool, Meta(description="false: its prices may be of a trade taken back")]
    complete: Annotated[bool, Meta(description="false: trades of it may be missing")]


class Level(msgspec.Struct, frozen=True, array_like=True):
    """A price of a book, and the size of all orders at it; in JSON and MessagePack a pair."""

    price: Price
    size: Size


class Depth(Message, frozen=True, kw_only=True):
    """On `depth`: a symbol's whole book, best levels first. It replaces what the client has."""

    symbol: Symbol
    timestamp: Annotated[Time, Meta(description="of the newest change")]
    seq: BookSeq
    levels: Levels
    venue: OneVenue | UnsetType = UNSET
    bids: list[Level]
    asks: list[Level]


class Delta(Message, frozen=True, kw_only=True):
    """On `depth`: the levels that changed, each with its new size; size 0 removes it."""

    symbol: Symbol
    timestamp: Annotated[Time, Meta(description="of the newest change")]
    seq: BookSeq
    previous_seq: Annotated[int, Meta(ge=0, description="of the book that this goes on from")]
    venue: OneVenue | UnsetType = UNSET
    bids: list[Level]
    asks: list[Level]


class Mover(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol in a list. `base` is the previous close, else the day's open."""

    symbol: Symbol
    price: Price
    base: Price | UnsetType = UNSET
    change: Price | UnsetType = UNSET
    change_percent: Price | UnsetType = UNSET
    volume: Size
    trades: Count
    timestamp: Annotated[Time, Meta(description="of the price")]


class Movers(Message, frozen=True, kw_only=True):
    """On `movers`: the symbols that gain and lose most in percent, and those of most volume."""

    timestamp: Time
    limit: Limit
    gainers: list[Mover]
    losers: list[Mover]
    most_active: list[Mover]


AnyMessage = (
    Snapshot
    | Update
    | Hello
    | Subscribed
    | Unsubscribed
    | Recovered
    | Configured
    | Status
    | Lagged
    | Heartbeat
    | Pong
    | Goodbye
    | Error
    | Correction
    | Cancel
    | LiveBar
    | Depth
    | Delta
    | Movers
)


class PriceObject(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a symbol; null: the figure is unknown, or the token has no right to it."""

    symbol: Symbol
    price: LastPrice
    currency: str
    exchange_timestamp: Time
    server_timestamp: Time | None
    size: Size | None
    venue: str | None
    volume: Size | None
    trades: Count | None
    open: Price | None
    high: Price | None
    low: Price | None
    official_close: Price | None
    previous_close: Price | None
    extended_price: Price | None
    extended_timestamp: Time | None
    bid: Price | None
    bid_size: Size | None
    bid_venue: str | None
    ask: Price | None
    ask_size: Size | None
    ask_venue: str | None
    seq: Count
    status: State
    stale: bool
    trading_status: str


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Several prices at once."""

    prices: list[PriceObject]
    unknown: list[str]
    no_price_yet: list[str]
    not_on_venue: list[str]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's book: pairs of price and size, best first; `venue` is null over all venues.
    `timestamp` is the time of the newest change."""

    symbol: Symbol
    venue: str | None
    timestamp: Time
    seq: BookSeq
    levels: Count
    bids: list[Level]
    asks: list[Level]
    status: State
    stale: bool


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """The eligible trades of an interval. With interval 1d, `start` is the day of the venue, open
    and close are the official ones where there are any, and vwap and complete are null.

    `revision` counts the changes after the interval was over; `exact` is false where a trade was
    taken back that the prices may still have; `complete` is false where trades may be missing.
    """

    start: str
    open: Price | None
    high: Price | None
    low: Price | None
    close: Price | None
    volume: Size
    trades: Count
    vwap: Price | None
    revision: Count
    exact: bool
    complete: bool | None


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of a symbol, oldest first; `next` is the `from` of those that follow, if any do: a
    time, or with interval 1d a day."""

    symbol: Symbol
    interval: str
    bars: list[Bar]
    next: str | None


class ListedSymbol(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True
):
    """A symbol with its entry in the directory."""

    symbol: Symbol
    name: str | msgspec.UnsetType = msgspec.UNSET
    venue: str | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType = msgspec.UNSET
    tick_size: Price | msgspec.UnsetType = msgspec.UNSET
    test: bool | msgspec.UnsetType = msgspec.UNSET


class Symbols(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols whose ticker or name matches; `next` is the `after` of those that follow, if any
    do."""

    symbols: list[ListedSymbol]
    total: Count
    next: str | None
