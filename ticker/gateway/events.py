"""Server-sent events on `/stream`: a request in, the same messages as `ticker.v1.json` out.

A stream of events is a connection like a WebSocket, in an encoding of its own, so hub, limits and
backpressure are the same. The client cannot send commands: its request has all that it wants.
Source: html.spec.whatwg.org, section 9.2.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import parse_qsl

from ticker.gateway.access.access import Access, offered_token
from ticker.gateway.access.auth import Grant
from ticker.gateway.access.handshake import Head
from ticker.gateway.access.headers import SECURITY_HEADERS
from ticker.gateway.access.problems import (
    BAD_PARAMETER,
    DEPTH_FULL,
    METHOD_NOT_ALLOWED,
    NO_HISTORY,
    NOT_ENTITLED,
    TOO_LARGE,
    Refusal,
)
from ticker.gateway.bars.encode import INTERVALS
from ticker.gateway.pacing.rates import PACES
from ticker.gateway.protocol.codec import CODECS, EVENT_STREAM
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError
from ticker.gateway.protocol.dialect import Dialect
from ticker.gateway.protocol.groups import Groups
from ticker.gateway.protocol.messages import Reconnect, Subscribe
from ticker.gateway.protocol.movers import MOST_LISTED
from ticker.gateway.protocol.settings import check_pace
from ticker.gateway.protocol.vocabulary import MAX_SYMBOL, Channel
from ticker.gateway.rest.contract.stream import LEAST_RATE, MOST_RATE
from ticker.gateway.rest.parameters import bad, integer, read_query, symbol_list, venue_of
from ticker.gateway.rest.serving.cors import reading_headers
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.shm.depth.interest import MOST_LEVELS

CONTENT_TYPE = "text/event-stream"
PARAMETERS = (
    "symbols",
    "channel",
    "interval",
    "levels",
    "venue",
    "limit",
    "max_rate",
    "pace",
    "token",
)
OF_CHANNELS = {
    "levels": ("depth", "books"), "venue": ("depth", "books"), "limit": ("movers", "movers"),
}  # fmt: skip
"""Parameters that only one channel has: the channel, and what it is of."""
_SYMBOL = re.compile(rf"[ -~]{{1,{MAX_SYMBOL}}}")
_RATE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Wanted:
    """What a request for events asks for. `last_seen` is the id of the last event that the client
    has, None: it is new; `max_rate` is in updates a second per symbol, None: the server's. `levels`
    and `venue` are those of a book, `limit` is that of a list of movers, `pace` is one of PACES;
    None: as without them."""

    symbols: list[str]
    channel: str
    interval: str | None
    last_seen: str | None
    max_rate: float | None
    token: str | None
    levels: int | None = None
    venue: str | None = None
    limit: int | None = None
    pace: str | None = None

    @property
    def command(self) -> Subscribe | Reconnect:
        """The same wish as a command of the WebSocket."""
        where: dict[str, Any] = {"channel": self.channel, "interval": self.interval}
        where |= {"levels": self.levels, "venue": self.venue, "limit": self.limit}
        if self.last_seen is None or self.channel == "movers":
            return Subscribe(symbols=self.symbols, **where)
        return Reconnect(last_seen=dict.fromkeys(self.symbols, self.last_seen), **where)


def wants_events(head: Head) -> bool:
    """Whether a request for `/stream` is for events: it accepts them, or names symbols or a
    channel, as no WebSocket handshake does."""
    if "websocket" in head.tokens("upgrade"):
        return False
    accepted = {token.partition(";")[0].strip() for token in head.tokens("accept")}
    return CONTENT_TYPE in accepted or any(
        name in ("symbols", "channel") for name, _ in _query(head)
    )


def read_request(head: Head, most: int) -> Wanted:
    """The wish of a request; `most` symbols at once.

    Raises:
        Refusal: 400 for a wrong parameter, 405, or 413 for a request with a body.
    """
    if head.method != "GET":
        said = f"{head.method} is not allowed here; use GET."
        raise Refusal(METHOD_NOT_ALLOWED, said, headers={"Allow": "GET"})
    if head.values("transfer-encoding") or set(head.values("content-length")) - {"0"}:
        raise Refusal(TOO_LARGE, "Send the request without a body.")
    parameters = read_query(_query(head), PARAMETERS)
    channel = parameters.get("channel", "price")
    if channel not in get_args(Channel):
        raise bad("channel", f"must be one of {', '.join(get_args(Channel))}")
    for name, (home, what) in OF_CHANNELS.items():
        if name in parameters and channel != home:
            raise bad(name, f"is of {what}; ask with channel={home}, or leave it out")
    if channel == "movers" and "symbols" in parameters:
        raise bad("symbols", "is not for channel=movers, which is of the whole market")
    symbols = [] if channel == "movers" else symbol_list(parameters, most)
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            said = f"has {symbol[:32]!a}; a symbol has 1 to {MAX_SYMBOL} printable ASCII signs"
            raise bad("symbols", said)
    interval = parameters.get("interval")
    if interval not in (INTERVALS if channel == "bars" else (None,)):
        raise bad(
            "interval", f"must be one of {', '.join(INTERVALS)} with channel=bars, only there"
        )
    seen = head.values("last-event-id")
    return Wanted(
        symbols,
        channel,
        interval,
        seen[-1] if seen and seen[-1] else None,
        _rate(parameters.get("max_rate")),
        offered_token(head) or parameters.get("token"),
        integer(parameters, "levels", 0, 1, MOST_LEVELS) or None,
        venue_of(parameters),
        integer(parameters, "limit", 0, 1, MOST_LISTED) or None,
        _pace(parameters.get("pace")),
    )


def _query(head: Head) -> list[tuple[str, str]]:
    return parse_qsl(head.target.partition("?")[2], keep_blank_values=True)


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    rate = float(text) if _RATE.fullmatch(text) else 0.0
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise bad("max_rate", f"must be a number from {LEAST_RATE} to {MOST_RATE:g}, like 2.5")
    return rate


def _pace(text: str | None) -> str | None:
    if text is not None and text not in PACES:
        raise bad("pace", f"must be one of {', '.join(PACES)}")
    return text


class EventStreams:
    """Opens the streams of events of one worker."""

    def __init__(self, connections: ConnectionTable, dialect: Dialect, access: Access) -> None:
        self.connections = connections
        self.dialect = dialect
        self.access = access

    def read(self, head: Head) -> Wanted:
        """What a request wants. Raises Refusal."""
        return read_request(head, self.dialect.terms.limits.symbols)

    def open(self, number: int, head: Head, wanted: Wanted, now_ns: int, steady_ns: int) -> None:
        """Answer the request of a connection, and subscribe it.

        Raises:
            Refusal: 401, 403 or 429 by the token; 400, more symbols than it may have.
        """
        if wanted.interval is not None and not self.dialect.bars:
            said = "This server makes no bars; [store] enabled = true switches them on."
            raise Refusal(NO_HISTORY, said)
        grant = self.access.admit(number, wanted.token, now_ns, steady_ns)
        limits = self.dialect.limits_of(grant)
        names = _names_of(wanted, grant, limits.symbols, self.dialect.groups)
        try:
            check_pace(wanted.pace, self.dialect.terms)
            self.dialect.depths.admit(wanted.command, filter(grant.sees, names))
        except CommandError as error:
            if error.code != Code.SYMBOL_LIMIT_EXCEEDED:
                raise Refusal(BAD_PARAMETER, error.message) from None
            raise Refusal(DEPTH_FULL, error.message, headers={"Retry-After": "10"}) from None
        codec = CODECS[EVENT_STREAM]
        retry = f"retry: {round(self.dialect.terms.retry_after * 1000)}\n\n".encode()
        greeting = self.dialect.hello(codec, limits, False, number)
        greeting += self.dialect.announcer.greeting(codec)
        self.connections.open(number, _answer(head) + retry + greeting, codec.number)
        rates = [rate for rate in (wanted.max_rate, grant.max_rate) if rate]
        pace = None if wanted.pace is None else PACES.index(wanted.pace)
        self.dialect.hub.configure(number, min(rates) if rates else None, None, pace)
        self.dialect.change(number, codec, wanted.command, grant, now_ns)


def _names_of(wanted: Wanted, grant: Grant, most: int, groups: Groups) -> Collection[str]:
    """The symbols that are asked for, none for all of them. Raises Refusal."""
    if wanted.channel not in grant.channels:
        said = (
            f"Your token does not open the channel {wanted.channel!r}; its operator grants it by "
            "`channels`."
        )
        raise Refusal(NOT_ENTITLED, said, channel=wanted.channel)
    if any(map(groups.is_all, wanted.symbols)):
        if wanted.channel == "depth":
            raise bad("symbols", "has `*`, which is not for channel=depth; name the symbols")
        if not grant.wildcard:
            said = (
                "Your token does not open `symbols=*`; its operator grants it by `wildcard = true`."
            )
            raise Refusal(NOT_ENTITLED, said)
        return ()
    names = groups.expand(wanted.symbols, grant)
    if len(names) > most:
        raise bad("symbols", f"has {len(names)} entries, and {most} is the most for your token")
    return names


def _answer(head: Head) -> bytes:
    """The head of the answer. It has no length: the stream ends with the connection."""
    origins = head.values("origin")
    lines = [
        f"HTTP/1.1 200 {HTTPStatus.OK.phrase}",
        f"Content-Type: {CONTENT_TYPE}",
        "Cache-Control: no-store",
        "X-Accel-Buffering: no",  # nginx would collect events
        "Connection: close",
        "Server: ticker",
        *(f"{name}: {value}" for name, value in SECURITY_HEADERS.items()),
        *(f"{name}: {value}" for name, value in reading_headers(*origins[:1]).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
