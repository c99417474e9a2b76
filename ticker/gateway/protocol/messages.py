"""Every message of the client protocol, in both directions, as types.

Law: this is the one place that names a field; vocabulary.py has the kinds of value, codes.py the
codes, numbers.py the numbers of Protobuf. Validation, documents.py, protobuf.py and the encoders'
tests are made from here. Fields are only ever added.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ticker.gateway.protocol.vocabulary import (
    BookSeq,
    Channel,
    Count,
    Id,
    Interval,
    LastPrice,
    Levels,
    Limit,
    MaxRate,
    OfBars,
    OneVenue,
    Pace,
    Price,
    Size,
    State,
    Symbol,
    Time,
    TradeId,
    TradesSoFar,
    Venue,
)

# -- client to server ----------------------------------------------------------------------


class Command(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="action",
    tag=str.lower,
    omit_defaults=True,
):
    """A message of a client."""


class Subscribe(Command, frozen=True, kw_only=True):
    """Watch symbols on a channel; a snapshot of each comes at once."""

    id: Id | None = None
    symbols: list[Symbol] | None = None
    symbol: Symbol | None = None
    channel: Channel = "price"
    interval: OfBars | None = None
    levels: Levels | None = None
    venue: OneVenue | None = None
    limit: Limit | None = None


class Unsubscribe(Command, frozen=True, kw_only=True):
    """Stop watching symbols on a channel."""

    id: Id | None = None
    symbols: list[Symbol] | None = None
    symbol: Symbol | None = None
    channel: Channel = "price"
    interval: OfBars | None = None
    venue: OneVenue | None = None


class Reconnect(Command, frozen=True, kw_only=True):
    """Subscribe again after a lost connection. A snapshot comes only where the price is newer.

    `last_seen` has the timestamp of the last price seen, per symbol. If it is not a valid time,
    a snapshot comes.
    """

    id: Id | None = None
    last_seen: dict[Symbol, Any]
    channel: Channel = "price"
    interval: OfBars | None = None
    levels: Levels | None = None
    venue: OneVenue | None = None
    limit: Limit | None = None


class Configure(Command, frozen=True, kw_only=True):
    """Set rate, batching and pace of this connection. A field that is left out stays as it is."""

    id: Id | None = None
    max_rate: MaxRate | None = None
    batch: (
        Annotated[bool, Meta(description="all updates of a flush as one message: an array")] | None
    ) = None
    pace: Pace | None = None


class Auth(Command, frozen=True, kw_only=True):
    """Authenticate with a token."""

    id: Id | None = None
    token: Annotated[str, Meta(max_length=8192)]


class Ping(Command, frozen=True, kw_only=True):
    """Ask for a pong."""

    id: Id | None = None


AnyCommand = Subscribe | Unsubscribe | Reconnect | Configure | Auth | Ping
COMMANDS: tuple[type[Command], ...] = get_args(AnyCommand)


# -- server to client ----------------------------------------------------------------------


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
MESSAGES: tuple[type[Message], ...] = get_args(AnyMessage)
PLAIN_MESSAGES: tuple[type[Message], ...] = (Snapshot, Update, Error)
