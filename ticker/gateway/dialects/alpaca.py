"""Alpaca's stock stream: `/alpaca/v2/{feed}`, in JSON, or in MessagePack by Content-Type.

The mapping feeds/mappings/alpaca.toml in reverse; docs/dialects.md has it field by field.
Source: docs.alpaca.markets, "WebSocket Stream" and "Real-time Stock Data"; what its package
alpaca-py reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticker.gateway.access.handshake import Head
from ticker.gateway.bars.encode import INTERVALS
from ticker.gateway.bars.forms import OfBar, declare_bar
from ticker.gateway.dialects.vendor import (
    ALL_SYMBOLS,
    DAYS,
    MINUTES,
    STATUSES,
    AlreadyError,
    Change,
    Login,
    Message,
    NoChannelError,
    NoRightError,
    RequestError,
    StateChange,
    Wants,
    is_symbol,
)
from ticker.gateway.hub.fields import Channel
from ticker.gateway.hub.fields import Message as Kind
from ticker.gateway.hub.forms import Of, declare_form
from ticker.gateway.protocol.codec import moment
from ticker.gateway.protocol.codes import Code
from ticker.gateway.sockets.connection import VendorEncoding
from ticker.gateway.wire.vendors import declare_style
from ticker.shm.bars.published import BarState

PATH = "/alpaca/v2/"
FEEDS = ("sip", "iex", "delayed_sip", "test")
"""The feeds by Alpaca's names; each has the prices of this server."""
KEY_HEADER, SECRET_HEADER = "apca-api-key-id", "apca-api-secret-key"

CHANNELS: dict[str, int] = {
    "trades": Channel.CHANNEL_TRADES,
    "quotes": Channel.CHANNEL_QUOTE,
    "bars": MINUTES,
    "updatedBars": MINUTES,
    "dailyBars": DAYS,
    "statuses": STATUSES,
}
BAR_STATES = {"bars": 1 << BarState.BAR_FINAL, "updatedBars": 1 << BarState.BAR_UPDATED}
NOT_HERE = ("lulds", "imbalances", "orderbooks", "news")
WITH_TRADES = ("corrections", "cancelErrors")
"""They come with `trades` and cannot be asked for by themselves."""
LISTED = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")

VENUES = {
    "XASE": "A", "XBOS": "B", "XCIS": "C", "XADF": "D", "FINR": "D", "EPRL": "H", "XISE": "I",
    "XISX": "I", "EDGA": "J", "EDGX": "K", "LTSE": "L", "XCHI": "M", "XNYS": "N", "ARCX": "P",
    "XNAS": "Q", "MEMX": "U", "IEXG": "V", "XCBO": "W", "XPHL": "X", "XPSX": "X", "BATY": "Y",
    "BATS": "Z",
}  # fmt: skip
NO_VENUE = "E"  # "market independent": a venue without a letter; its package wants one

ERRORS = {
    Code.INVALID_SYNTAX: (400, "invalid syntax"),
    Code.NOT_AUTHENTICATED: (401, "not authenticated"),
    Code.AUTH_FAILED: (402, "auth failed"),
    Code.AUTH_TIMEOUT: (404, "auth timeout"),
    Code.SYMBOL_LIMIT_EXCEEDED: (405, "symbol limit exceeded"),
    Code.CONNECTION_LIMIT_EXCEEDED: (406, "connection limit exceeded"),
    Code.SLOW_CLIENT: (407, "slow client"),
    Code.UNSUPPORTED_ACTION: (400, "invalid syntax"),
    Code.MESSAGE_TOO_LARGE: (400, "invalid syntax"),
    Code.RATE_LIMITED: (429, "rate limited"),
    Code.INTERNAL: (500, "internal error"),
}
ALREADY = (403, "already authenticated")
NO_RIGHT = (409, "insufficient subscription")
NO_CHANNEL = (410, "invalid subscribe action for this feed")

HALTS = {"halted": ("H", "Trading Halt"), "paused": ("P", "Volatility Trading Pause")}
RESUMED = ("T", "Trading Resumption")
HALTS_OF_CTA = {"halted": ("2", "Trading Halt"), "paused": ("P", "Volatility Trading Pause")}
RESUMED_OF_CTA = ("3", "Trading Resumption")

TRADE = {
    "i": Of.OF_TRADE_ID, "x": Of.OF_VENUE, "p": Of.OF_PRICE, "s": Of.OF_SIZE, "c": Of.OF_CONDITIONS,
    "t": Of.OF_TIME, "z": Of.OF_TAPE,
}  # fmt: skip
FORMS: tuple[tuple[int, tuple[int, ...], str, Mapping[str, int]], ...] = (
    (Channel.CHANNEL_TRADES, (Kind.MESSAGE_UPDATE, Kind.MESSAGE_SNAPSHOT), "t", TRADE),
    (
        Channel.CHANNEL_TRADES,
        (Kind.MESSAGE_CORRECTION,),
        "c",
        {
            "x": Of.OF_VENUE, "oi": Of.OF_TRADE_ID, "op": Of.OF_OLD_PRICE, "os": Of.OF_OLD_SIZE,
            "oc": Of.OF_OLD_CONDITIONS, "ci": Of.OF_NEW_TRADE_ID, "cp": Of.OF_PRICE,
            "cs": Of.OF_SIZE, "cc": Of.OF_CONDITIONS, "t": Of.OF_TIME, "z": Of.OF_TAPE,
        },
    ),
    (
        Channel.CHANNEL_TRADES,
        (Kind.MESSAGE_CANCEL,),
        "x",
        {
            "i": Of.OF_TRADE_ID, "x": Of.OF_VENUE, "p": Of.OF_PRICE, "s": Of.OF_SIZE,
            "a": Of.OF_CANCEL_ACTION, "t": Of.OF_TIME, "z": Of.OF_TAPE,
        },
    ),
    (
        Channel.CHANNEL_QUOTE,
        (Kind.MESSAGE_UPDATE, Kind.MESSAGE_SNAPSHOT),
        "q",
        {
            "bx": Of.OF_BID_VENUE, "bp": Of.OF_BID, "bs": Of.OF_BID_SIZE, "ax": Of.OF_ASK_VENUE,
            "ap": Of.OF_ASK, "as": Of.OF_ASK_SIZE, "t": Of.OF_QUOTE_TIME, "z": Of.OF_TAPE,
        },
    ),
)  # fmt: skip


BAR = {
    "o": OfBar.OF_OPEN, "h": OfBar.OF_HIGH, "l": OfBar.OF_LOW, "c": OfBar.OF_CLOSE,
    "v": OfBar.OF_VOLUME, "t": OfBar.OF_START, "n": OfBar.OF_TRADES, "vw": OfBar.OF_VWAP,
}  # fmt: skip


def declare() -> None:
    """Teach the hub the messages of this dialect."""
    for encoding in (VendorEncoding.ALPACA_JSON, VendorEncoding.ALPACA_MSGPACK):
        packed = encoding == VendorEncoding.ALPACA_MSGPACK
        declare_style(encoding, packed, "stamp" if packed else "text", True, VENUES, NO_VENUE)
        for channel, kinds, name, fields in FORMS:
            for kind in kinds:
                declare_form(encoding, channel, kind, "T", name, "S", fields)
        for state, name in ((BarState.BAR_FINAL, "b"), (BarState.BAR_UPDATED, "u")):
            declare_bar(encoding, INTERVALS.index("1m"), state, "T", name, "S", BAR)
        for state in BarState:
            declare_bar(encoding, INTERVALS.index("1d"), state, "T", "d", "S", BAR)


class Alpaca:
    """The dialect's requests and answers."""

    name = "alpaca"
    channels = CHANNELS
    bar_states = BAR_STATES
    in_parts = False

    def encoding_of(self, head: Head) -> int | None:
        """MessagePack by Content-Type, else JSON."""
        if not head.path.startswith(PATH) or head.path[len(PATH) :] not in FEEDS:
            return None
        packed = "application/msgpack" in head.values("content-type")
        return VendorEncoding.ALPACA_MSGPACK if packed else VendorEncoding.ALPACA_JSON

    def token_of(self, head: Head) -> str | None:
        """The secret of the pair of headers."""
        keys, secrets = head.values(KEY_HEADER), head.values(SECRET_HEADER)
        return secrets[0] if len(keys) == 1 and len(secrets) == 1 else None

    def read(self, message: Any) -> Login | Change:
        """An object with an action."""
        if not isinstance(message, dict):
            raise RequestError(Code.INVALID_SYNTAX)
        action = message.get("action")
        if action == "auth":
            secret = message.get("secret")
            if not isinstance(secret, str) or not isinstance(message.get("key"), str):
                raise RequestError(Code.INVALID_SYNTAX)
            return Login(secret)
        if action not in ("subscribe", "unsubscribe"):
            raise RequestError(Code.INVALID_SYNTAX)
        wanted = tuple(
            (str(channel), _symbols(names))
            for channel, names in message.items()
            if channel != "action" and channel not in WITH_TRADES
        )
        if any(channel in NOT_HERE and names for channel, names in wanted):
            raise NoChannelError
        if any(channel not in CHANNELS and channel not in NOT_HERE for channel, _ in wanted):
            raise RequestError(Code.INVALID_SYNTAX)
        return Change(action == "subscribe", tuple(pair for pair in wanted if pair[1]))

    def connected(self) -> list[Message]:
        """The welcome."""
        return [{"T": "success", "msg": "connected"}]

    def authenticated(self) -> list[Message]:
        """The answer to a right key and secret."""
        return [{"T": "success", "msg": "authenticated"}]

    def refused(self, error: Exception) -> list[Message]:
        """An error by Alpaca's own code and words."""
        if isinstance(error, NoRightError):
            code, said = NO_RIGHT
        elif isinstance(error, NoChannelError):
            code, said = NO_CHANNEL
        elif isinstance(error, RequestError):
            code, said = ERRORS.get(error.code, ERRORS[Code.INTERNAL])
        else:
            assert isinstance(error, AlreadyError)
            code, said = ALREADY
        return [{"T": "error", "code": code, "msg": said}]

    def changed(self, change: Change, wants: Wants) -> list[Message]:  # noqa: ARG002
        """All that the client has subscribed to now."""
        found = {channel: sorted(wants.get(channel, ())) for channel in LISTED}
        for channel in WITH_TRADES:
            found[channel] = found["trades"]
        return [{"T": "subscription", **found}]

    def status(self, news: StateChange) -> Message | None:
        """Halts, pauses and their ends, by the letters of the symbol's tape."""
        of_cta = news.tape in (1, 2)
        halts = HALTS_OF_CTA if of_cta else HALTS
        if news.state in halts:
            code, said = halts[news.state]
        elif news.before in halts and news.state in ("live", "quiet"):
            code, said = RESUMED_OF_CTA if of_cta else RESUMED
        else:
            return None
        return {
            "T": "s",
            "S": news.symbol,
            "sc": code,
            "sm": said,
            "rc": "",
            "rm": "",
            "t": moment(news.now_ns),
            "z": " ABC"[news.tape].strip(),
        }


def _symbols(names: object) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise RequestError(Code.INVALID_SYNTAX)
    for name in names:
        if not is_symbol(name):
            raise RequestError(Code.INVALID_SYNTAX)
    return (ALL_SYMBOLS,) if ALL_SYMBOLS in names else tuple(dict.fromkeys(names))


declare()
