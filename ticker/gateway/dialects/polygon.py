"""Polygon's (Massive's) cluster of stocks: `/polygon/stocks`, in JSON.

The mapping feeds/mappings/polygon.toml in reverse; docs/dialects.md has it field by field.
Source: massive.com/docs, "WebSocket" and "Stocks: trades, quotes"; what its packages massive and
polygon-api-client read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticker.gateway.access.handshake import Head
from ticker.gateway.bars.encode import INTERVALS
from ticker.gateway.bars.forms import OfBar, declare_bar
from ticker.gateway.dialects.vendor import (
    MINUTES,
    SECONDS,
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
from ticker.gateway.protocol.codes import Code
from ticker.gateway.sockets.connection import VendorEncoding
from ticker.gateway.wire.vendors import declare_style
from ticker.shm.bars.published import BarState

PATH = "/polygon/stocks"
CHANNELS: dict[str, int] = {
    "T": Channel.CHANNEL_TRADES,
    "Q": Channel.CHANNEL_QUOTE,
    "A": SECONDS,
    "AM": MINUTES,
}
BAR_STATES = {"A": 1 << BarState.BAR_FINAL, "AM": 1 << BarState.BAR_FINAL}

VENUES = {
    "XASE": "1", "XBOS": "2", "XCIS": "3", "XADF": "4", "FINR": "4", "XISE": "6", "XISX": "6",
    "EDGA": "7", "EDGX": "8", "XCHI": "9", "XNYS": "10", "ARCX": "11", "XNAS": "12", "LTSE": "14",
    "IEXG": "15", "XCBO": "16", "XPHL": "17", "XPSX": "17", "BATY": "18", "BATS": "19",
    "EPRL": "20", "MEMX": "21",
}  # fmt: skip

REFUSALS = {
    Code.INVALID_SYNTAX: ("error", "invalid request"),
    Code.NOT_AUTHENTICATED: ("auth_required", "not authenticated"),
    Code.AUTH_FAILED: ("auth_failed", "authentication failed"),
    Code.AUTH_TIMEOUT: ("auth_timeout", "no authentication request received"),
    Code.SYMBOL_LIMIT_EXCEEDED: ("error", "too many subscriptions"),
    Code.CONNECTION_LIMIT_EXCEEDED: (
        "max_connections",
        "Maximum number of websocket connections exceeded.",
    ),
    Code.SLOW_CLIENT: ("slow_consumer", "the client reads too slowly"),
    Code.MESSAGE_TOO_LARGE: ("error", "the request is too long"),
    Code.RATE_LIMITED: ("error", "too many requests"),
    Code.INTERNAL: ("error", "internal error"),
}

FORMS: tuple[tuple[int, str, Mapping[str, int]], ...] = (
    (
        Channel.CHANNEL_TRADES,
        "T",
        {
            "x": Of.OF_VENUE, "i": Of.OF_TRADE_ID, "z": Of.OF_TAPE, "p": Of.OF_PRICE,
            "s": Of.OF_WHOLE_SIZE, "ds": Of.OF_FRACTIONAL_SIZE, "c": Of.OF_CONDITIONS,
            "t": Of.OF_TIME, "q": Of.OF_SEQ,
        },
    ),
    (
        Channel.CHANNEL_QUOTE,
        "Q",
        {
            "bx": Of.OF_BID_VENUE, "bp": Of.OF_BID, "bs": Of.OF_BID_SIZE, "ax": Of.OF_ASK_VENUE,
            "ap": Of.OF_ASK, "as": Of.OF_ASK_SIZE, "t": Of.OF_QUOTE_TIME, "q": Of.OF_QUOTES,
            "z": Of.OF_TAPE,
        },
    ),
)  # fmt: skip


BAR = {
    "v": OfBar.OF_WHOLE_VOLUME, "dv": OfBar.OF_FRACTIONAL_VOLUME, "vw": OfBar.OF_VWAP,
    "o": OfBar.OF_OPEN, "c": OfBar.OF_CLOSE, "h": OfBar.OF_HIGH, "l": OfBar.OF_LOW,
    "z": OfBar.OF_AVERAGE_SIZE, "s": OfBar.OF_START, "e": OfBar.OF_END,
}  # fmt: skip


def declare() -> None:
    """Teach the hub the messages of this dialect. There is none of a cancel or a correction."""
    encoding = VendorEncoding.POLYGON_JSON
    declare_style(encoding, False, "ms", False, VENUES)
    for channel, name, fields in FORMS:
        for kind in (Kind.MESSAGE_UPDATE, Kind.MESSAGE_SNAPSHOT):
            declare_form(encoding, channel, kind, "ev", name, "sym", fields)
    for interval, name in (("1s", "A"), ("1m", "AM")):
        span = INTERVALS.index(interval)
        declare_bar(encoding, span, BarState.BAR_FINAL, "ev", name, "sym", BAR)


class Polygon:
    """The dialect's requests and answers."""

    name = "polygon"
    channels = CHANNELS
    bar_states = BAR_STATES
    in_parts = True

    def encoding_of(self, head: Head) -> int | None:
        """By the path alone."""
        return VendorEncoding.POLYGON_JSON if head.path == PATH else None

    def token_of(self, head: Head) -> str | None:  # noqa: ARG002 - the key comes in a message
        """None: there is no key in the head."""
        return None

    def read(self, message: Any) -> Login | Change:
        """An object with an action and its params, a text."""
        if not isinstance(message, dict) or not isinstance(message.get("params"), str):
            raise RequestError(Code.INVALID_SYNTAX)
        action, params = message.get("action"), message["params"]
        if action == "auth":
            return Login(params)
        if action not in ("subscribe", "unsubscribe"):
            raise RequestError(Code.INVALID_SYNTAX)
        wanted: dict[str, list[str]] = {}
        refused = []
        for part in dict.fromkeys(each.strip() for each in params.split(",")):
            channel, _, symbol = part.partition(".")
            if channel in CHANNELS and is_symbol(symbol):
                wanted.setdefault(channel, []).append(symbol)
            else:
                refused.append(part[:40])
        pairs = tuple((channel, tuple(symbols)) for channel, symbols in wanted.items())
        return Change(action == "subscribe", pairs, tuple(refused))

    def connected(self) -> list[Message]:
        """The welcome."""
        return [_status("connected", "Connected Successfully")]

    def authenticated(self) -> list[Message]:
        """The answer to a right key."""
        return [_status("auth_success", "authenticated")]

    def refused(self, error: Exception) -> list[Message]:
        """A status that is no success."""
        if isinstance(error, NoRightError | NoChannelError):
            return [_status("error", "not authorized")]
        if isinstance(error, AlreadyError):
            return [_status("error", "already authenticated")]
        assert isinstance(error, RequestError)
        return [_status(*REFUSALS.get(error.code, REFUSALS[Code.INVALID_SYNTAX]))]

    def changed(self, change: Change, wants: Wants) -> list[Message]:  # noqa: ARG002
        """One status for each part of the request."""
        said = "subscribed to" if change.subscribe else "unsubscribed to"
        taken = [
            _status("success", f"{said}: {channel}.{symbol}")
            for channel, symbols in change.wanted
            for symbol in symbols
        ]
        return taken + [_status("error", f"not authorized: {part}") for part in change.refused]

    def status(self, news: StateChange) -> Message | None:  # noqa: ARG002
        """None: the cluster has no trading statuses."""
        return None


def _status(status: str, message: str) -> Message:
    return {"ev": "status", "status": status, "message": message}


declare()
