"""The answers of REST as types; /openapi.json is made from them.

Law: http.py writes exactly these fields, and a test compares every answer with the document. Prices
are JSON numbers with the digits of the tick. None means unknown.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ticker.gateway.protocol.messages import Level
from ticker.gateway.protocol.vocabulary import (
    BookSeq,
    Count,
    LastPrice,
    Price,
    Size,
    State,
    Symbol,
    Time,
)
from ticker.gateway.rest.status import FeedReport, GatewayReport, MarketSession
from ticker.gateway.rest.store import MirrorReport, RecorderReport, StoreReport


class PriceObject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several prices at once."""

    prices: list[PriceObject]
    unknown: list[str]
    no_price_yet: list[str]
    not_on_venue: list[str]


class Book(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class Bar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class Bars(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bars of a symbol, oldest first; `next` is the `from` of those that follow, if any do: a
    time, or with interval 1d a day."""

    symbol: Symbol
    interval: str
    bars: list[Bar]
    next: str | None


class SeveralBars(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest bars of several symbols."""

    bars: list[Bars]
    unknown: list[str]


class RecentTrade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade as it is now. `state` is `valid`, `corrected` or `cancelled`; `counts_for` has `last`
    if the trade may set the last price. The original figures are those of a corrected trade.
    `trade_id` is the venue's number, null: it has none; `new_trade_id` is the number since a
    correction, if it has changed."""

    trade_id: str | None
    price: Price
    size: Size
    venue: str | None
    feed: str
    exchange_timestamp: Time
    server_timestamp: Time | None
    conditions: list[str]
    counts_for: list[str]
    state: Literal["valid", "corrected", "cancelled"]
    new_trade_id: str | None
    original_price: Price | None
    original_size: Size | None
    changed_timestamp: Time | None


class RecentTrades(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest trades of a symbol that the server still has, newest first."""

    symbol: Symbol
    trades: list[RecentTrade]


class ListedSymbol(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A symbol with its entry in the directory."""

    symbol: Symbol
    name: str | msgspec.UnsetType = msgspec.UNSET
    venue: str | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType = msgspec.UNSET
    tick_size: Price | msgspec.UnsetType = msgspec.UNSET
    test: bool | msgspec.UnsetType = msgspec.UNSET


class Symbols(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Symbols whose ticker or name matches; `next` is the `after` of those that follow, if any
    do."""

    symbols: list[ListedSymbol]
    total: Count
    next: str | None


class Mover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A symbol with its change since `base`: the previous close, else the day's open; null: there
    is neither."""

    symbol: Symbol
    price: Price
    base: Price | None
    change: Price | None
    change_percent: Price | None
    volume: Size
    trades: Count
    exchange_timestamp: Time


class MoversList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The symbols that gain and lose most in percent, and those of the greatest volume. They are
    ranked once a second."""

    timestamp: Time
    gainers: list[Mover]
    losers: list[Mover]
    most_active: list[Mover]


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Feeds, markets and gateways at one moment."""

    version: str
    epoch: Count
    timestamp: Time
    ready: bool
    draining: bool
    symbols: Count
    markets: list[MarketSession]
    feeds: list[FeedReport]
    gateways: list[GatewayReport]
    store: StoreReport
    recorder: RecorderReport
    mirror: MirrorReport


class MissedRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sequence numbers `first` to `last` that a feed missed.

    `missing` of them had not come; each of these is in one of the six counts behind it. Meanwhile,
    and one second longer, the feed published so many `ticks`; all gateways together put `conflated`
    ticks into newer ones, left `lagged` trades out for clients, and were `lapped` by so many
    records.
    """

    number: Count
    first: Count
    last: Count
    session: str | None
    channel: Count | None
    line: str
    state: str
    detected_timestamp: Time
    closed_timestamp: Time | None
    missing: Count
    filled_by_line: Count
    recovered: Count
    lost_upstream: Count
    lost_downstream: Count
    withdrawn: Count
    open: Count
    requests: Count
    ticks: Count
    conflated: Count
    lagged: Count
    lapped: Count


class FeedGaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sums of all `gaps` of a feed since the server's start, and its newest, oldest first."""

    name: str
    gaps: Count
    missing: Count
    filled_by_line: Count
    recovered: Count
    lost_upstream: Count
    lost_downstream: Count
    withdrawn: Count
    open: Count
    requests: Count
    last: list[MissedRange]


class ClientGaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ticks that clients of all gateways did not get one by one, since the server's start."""

    conflated: Count
    lagged: Count
    lapped: Count


class Gaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sequence numbers that feeds missed, with their outcome."""

    feeds: list[FeedGaps]
    clients: ClientGaps


class TradeRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade as it was published: its `position` in a `ring`, what the conditions of the sale say
    of it, which figures it `counts_for`, and whether it set the last price of its venue. The rest
    is of the message that made it, if its symbol was traced: `message` has its bytes as hexadecimal
    digits, up to 960 of its `message_length`."""

    seq: Count
    price: str
    size: str
    trade: Count | None
    exchange_timestamp: Time | None
    publish_timestamp: Time | None
    ring: Count
    position: Count
    conditions: list[str]
    counts_for: list[str]
    set_last: bool
    receive_timestamp: Time | None
    line: str | None
    session: str | None
    channel: Count | None
    sequence: Count | None
    message: str | None
    message_length: Count | None


class RefusedTrade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade that the filter refused, or holds: its rule, and the reason in words."""

    rule: str
    symbol: Symbol
    price: str
    size: str
    exchange_timestamp: Time
    server_timestamp: Time
    trade: Count
    reason: str


class PriceOrigin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the price of one venue came from. `trade` made it; null: the ring has it no longer.
    `verdict` is `unconfirmed` while the filter holds a newer trade. `line` (a, b, retransmission)
    brought the message with the number `sequence` of its `session` and `channel`; null: the feed
    does not say so, or the session is over. `traced`: messages of its trades are kept."""

    feed: str
    venue: str
    price: str
    size: str
    seq: Count
    exchange_timestamp: Time | None
    receive_timestamp: Time | None
    publish_timestamp: Time | None
    writer_epoch: Count
    line: str | None
    session: str | None
    channel: Count | None
    sequence: Count | None
    stale: bool
    verdict: str
    traced: bool
    trade: TradeRecord | None
    last: list[TradeRecord]
    refused: list[RefusedTrade]


class Send(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """News of the symbol in one flush: `seq` of its price, when the flush was made, and when the
    socket had taken it; null: it waits for the client to read."""

    seq: Count
    flush_timestamp: Time
    send_timestamp: Time | None


class ConnectionSends(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a connection was sent the symbol, newest first, since the first question. `state`:
    open; elsewhere: gateway `worker` has it, ask again; unknown: it is gone, or another token's."""

    id: Count
    worker: Count | None
    state: str
    channel: str | None
    asked_since_timestamp: Time | None
    last_send_timestamp: Time | None
    waiting: bool | None
    sends: list[Send]


class Lineage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a symbol's prices came from, one for each feed and venue; `connection`: if asked."""

    symbol: Symbol
    prices: list[PriceOrigin]
    connection: ConnectionSends | msgspec.UnsetType = msgspec.UNSET


class Alive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """alive; ready; or restored: it has the last prices of the previous run, marked stale."""

    status: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal (RFC 9457); `code` names its kind, `detail` gives the next step."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | msgspec.UnsetType = msgspec.UNSET
