"""Every message of the client protocol, in both directions, as types.

Law: this is the one place that names a field, an error code or a close code. Validation, the
documents (documents.py), the .proto (protobuf.py) and the encoders' tests are made from here.
Fields are only ever added. numbers.py has the number of each in Protobuf.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_SYMBOL = 23
MAX_ID = 64
SUBPROTOCOLS = ("ticker.v1.json", "ticker.v1.msgpack", "ticker.v1.protobuf")
PROTOCOL = "ticker.v1"

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
Channel = Literal["price", "quote", "trades"]
State = Literal["live", "quiet", "halted", "paused", "stale", "closed"]


class Code(IntEnum):
    """Error codes. Names in lower case are the `reason`."""

    INVALID_SYNTAX = 400
    NOT_AUTHENTICATED = 401
    AUTH_FAILED = 402
    AUTH_TIMEOUT = 404
    SYMBOL_LIMIT_EXCEEDED = 405
    CONNECTION_LIMIT_EXCEEDED = 406
    SLOW_CLIENT = 407
    UNSUPPORTED_ACTION = 410
    MESSAGE_TOO_LARGE = 413
    RATE_LIMITED = 429
    UNKNOWN_SYMBOL = 460
    INTERNAL = 500

    @property
    def reason(self) -> str:
        """The word for it in `error` messages."""
        return self.name.lower()


MEANINGS = {
    Code.INVALID_SYNTAX: "not a command, or a field of it is wrong; the message names the field",
    Code.NOT_AUTHENTICATED: "needs a token first",
    Code.AUTH_FAILED: "the token is wrong or has expired",
    Code.AUTH_TIMEOUT: "no token came in time",
    Code.SYMBOL_LIMIT_EXCEEDED: "more symbols than one connection may have",
    Code.CONNECTION_LIMIT_EXCEEDED: "more connections than allowed",
    Code.SLOW_CLIENT: "read too slowly for too long",
    Code.UNSUPPORTED_ACTION: "no such action here",
    Code.MESSAGE_TOO_LARGE: "the message is longer than allowed",
    Code.RATE_LIMITED: "too many commands a second",
    Code.UNKNOWN_SYMBOL: "no feed has this symbol",
    Code.INTERNAL: "the server failed; it is not the client's fault",
}
FATAL = frozenset(
    {
        Code.AUTH_FAILED,
        Code.AUTH_TIMEOUT,
        Code.CONNECTION_LIMIT_EXCEEDED,
        Code.SLOW_CLIENT,
        Code.INTERNAL,
    }
)


class Close(IntEnum):
    """Close codes besides 4000 + the code of a fatal error."""

    SHUTDOWN = 1001
    PROTOCOL_ERROR = 1002
    BAD_UTF8 = 1007
    POLICY_VIOLATION = 1008
    TOO_LARGE = 1009
    RESTART = 1012
    OVERLOAD = 1013


CLOSE_MEANINGS = {
    Close.SHUTDOWN: "the server ends",
    Close.PROTOCOL_ERROR: "not RFC 6455",
    Close.BAD_UTF8: "text that is not UTF-8",
    Close.POLICY_VIOLATION: "too many refused messages, too many fragments, or no pong",
    Close.TOO_LARGE: "a message longer than allowed",
    Close.RESTART: "this worker is replaced; connect again",
    Close.OVERLOAD: "no room now; try later",
}


def close_code(code: Code) -> int:
    """The close code of a fatal error."""
    return 4000 + code


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
    """What a client may say."""


class Subscribe(Command, frozen=True, kw_only=True):
    """Watch symbols on a channel; a snapshot of each comes at once."""

    id: Id | None = None
    symbols: list[Symbol] | None = None
    symbol: Symbol | None = None
    channel: Channel = "price"


class Unsubscribe(Command, frozen=True, kw_only=True):
    """Stop watching symbols on a channel."""

    id: Id | None = None
    symbols: list[Symbol] | None = None
    symbol: Symbol | None = None
    channel: Channel = "price"


class Reconnect(Command, frozen=True, kw_only=True):
    """Subscribe again after a lost connection: a snapshot only where the price is newer.

    `last_seen` is the timestamp of the last price seen, per symbol. Whatever is no such time
    gets a snapshot.
    """

    id: Id | None = None
    last_seen: dict[Symbol, Any]
    channel: Channel = "price"


class Configure(Command, frozen=True, kw_only=True):
    """How this connection wants its updates. What is left out stays as it is."""

    id: Id | None = None
    max_rate: (
        Annotated[
            float, Meta(ge=0.01, le=1000, description="updates per second per symbol at most")
        ]
        | None
    ) = None
    batch: (
        Annotated[bool, Meta(description="all updates of a flush as one message: an array")] | None
    ) = None


class Auth(Command, frozen=True, kw_only=True):
    """Show a token."""

    id: Id | None = None
    token: Annotated[str, Meta(max_length=8192)]


class Ping(Command, frozen=True, kw_only=True):
    """Ask for a pong."""

    id: Id | None = None


AnyCommand = Subscribe | Unsubscribe | Reconnect | Configure | Auth | Ping
COMMANDS: tuple[type[Command], ...] = (Subscribe, Unsubscribe, Reconnect, Configure, Auth, Ping)


# -- server to client ----------------------------------------------------------------------


class Message(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower, omit_defaults=True
):
    """What a server may say."""


class Snapshot(Message, frozen=True, kw_only=True):
    """A symbol's newest price: the first of a subscription, and after a reconnect."""

    symbol: Symbol
    price: Price
    timestamp: Time
    seq: Annotated[int, Meta(ge=0, description="trades so far, all venues")] | UnsetType = UNSET
    channel: (
        Annotated[Literal["quote", "trades"], Meta(description="absent: price")] | UnsetType
    ) = UNSET
    size: Size | UnsetType = UNSET
    venue: Annotated[str, Meta(description="ISO 10383 MIC of the trade")] | UnsetType = UNSET
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


class Update(Snapshot, frozen=True, kw_only=True):
    """A newer price of a symbol; on `trades`, one trade."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may do."""

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
    epoch: Annotated[int, Meta(ge=0, description="names this life of the server")]
    limits: Limits
    heartbeat: Annotated[float, Meta(description="seconds; after twice as long, reconnect")]
    auth: Annotated[bool, Meta(description="a token is needed")]


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that was not taken."""

    symbol: Symbol
    code: int


class Subscribed(Message, frozen=True, kw_only=True):
    """Answer to subscribe: what was taken."""

    id: Id | UnsetType = UNSET
    symbols: list[Symbol]
    rejected: list[Rejected]
    channel: Channel | UnsetType = UNSET


class Unsubscribed(Message, frozen=True, kw_only=True):
    """Answer to unsubscribe."""

    id: Id | UnsetType = UNSET
    symbols: list[Symbol]
    rejected: list[Rejected]
    channel: Channel | UnsetType = UNSET


class Recovered(Message, frozen=True, kw_only=True):
    """Answer to reconnect."""

    id: Id | UnsetType = UNSET
    symbols: list[Symbol]
    rejected: list[Rejected]
    channel: Channel | UnsetType = UNSET


class Configured(Message, frozen=True, kw_only=True):
    """Answer to configure: what holds from now on."""

    id: Id | UnsetType = UNSET
    max_rate: float
    batch: bool


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
    """Trades that were skipped for this connection."""

    symbol: Symbol | UnsetType = UNSET
    skipped: Count


class Heartbeat(Message, frozen=True, kw_only=True):
    """Nothing else had to be said for a while."""

    timestamp: Time


class Pong(Message, frozen=True, kw_only=True):
    """Answer to ping."""

    id: Id | UnsetType = UNSET


class Goodbye(Message, frozen=True, kw_only=True):
    """The server is about to close; come back after `retry_after` seconds."""

    reason: Literal["shutdown", "restart", "overload"]
    retry_after: Annotated[float, Meta(ge=0, description="seconds, different for each client")]


class Error(Message, frozen=True, kw_only=True):
    """A refusal: nothing was changed."""

    code: int
    reason: str
    message: str
    id: Id | UnsetType = UNSET
    symbol: str | UnsetType = UNSET


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
)
MESSAGES: tuple[type[Message], ...] = (
    Snapshot,
    Update,
    Hello,
    Subscribed,
    Unsubscribed,
    Recovered,
    Configured,
    Status,
    Lagged,
    Heartbeat,
    Pong,
    Goodbye,
    Error,
)
PLAIN_MESSAGES: tuple[type[Message], ...] = (Snapshot, Update, Error)
