"""What the dialect of every vendor is made of: its paths, its requests, its answers.

A dialect is one file beside this one, with one object that has the members of Vendor; `VENDORS` in
speaker.py lists them. No socket and no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ticker.gateway.access.handshake import Head
from ticker.gateway.bars.encode import INTERVALS
from ticker.gateway.hub.fields import FIRST_BARS_CHANNEL, Channel
from ticker.gateway.protocol.codes import Code

STATUSES = -1
"""The channel of trading statuses, which is none of the hub's."""
SECONDS, MINUTES, DAYS = (FIRST_BARS_CHANNEL + INTERVALS.index(name) for name in ("1s", "1m", "1d"))
"""The channels of bars of a second, of a minute and of a day."""
RIGHTS = {
    Channel.CHANNEL_TRADES: "trades",
    Channel.CHANNEL_QUOTE: "quote",
    SECONDS: "bars",
    MINUTES: "bars",
    DAYS: "bars",
}
"""What a token must open for each channel of the hub; statuses come with any of them."""
ALL_SYMBOLS = "*"
TAPES = {"XNYS": 1, "XNAS": 3}
"""The tape of a listing venue: A and C; B for every other one."""
OTHER_TAPE = 2

Message = dict[str, Any]


class RequestError(Exception):
    """A refused request, by our code; the vendor's object turns it into its own answer."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(detail or code.reason)
        self.code = code
        self.detail = detail


class NoRightError(Exception):
    """A channel that the token does not open."""


class AlreadyError(Exception):
    """A second login."""


class NoChannelError(Exception):
    """A channel that this server does not have."""


@dataclass(frozen=True)
class Login:
    """A request to authenticate."""

    token: str


@dataclass(frozen=True)
class Change:
    """A request to subscribe, or not to. `wanted` has (channel of the vendor, symbols or "*")."""

    subscribe: bool
    wanted: tuple[tuple[str, tuple[str, ...]], ...]
    refused: tuple[str, ...] = ()  # parts that the vendor refuses one by one


@dataclass(frozen=True)
class StateChange:
    """The state of a symbol was `before`, and is `state` from now on. `tape` as in TAPES, 0: not
    known."""

    symbol: str
    state: str
    before: str
    tape: int
    now_ns: int


Wants = dict[str, set[str]]
"""What a client has subscribed to: symbols, or "*", by the vendor's channel."""


class Vendor(Protocol):
    """One vendor's dialect."""

    name: str
    channels: dict[str, int]
    bar_states: dict[str, int]
    """By those of the vendor's channels that are bars of less than a day, a bit for each BarState
    that it tells of."""
    in_parts: bool
    """Whether a request for a channel that is not here is refused in that part only."""

    def encoding_of(self, head: Head) -> int | None:
        """The encoding of a client with this request head; None: not of this dialect."""

    def token_of(self, head: Head) -> str | None:
        """The token in the head, if the vendor takes one there."""

    def read(self, message: Any) -> Login | Change:
        """A client's message. Raises RequestError."""

    def connected(self) -> list[Message]:
        """The first words of a connection."""

    def authenticated(self) -> list[Message]:
        """The answer to a right login."""

    def refused(self, error: Exception) -> list[Message]:
        """The answer to a refused request: one of the errors above."""

    def changed(self, change: Change, wants: Wants) -> list[Message]:
        """The answer to a change that was made."""

    def status(self, news: StateChange) -> Message | None:
        """What the change of a symbol's state is to this vendor, if anything."""


@dataclass(frozen=True)
class Packing:
    """How messages of an encoding are packed, beside those of the hub."""

    opcode: int
    pack: Callable[[list[Message]], bytes]
    unpack: Callable[[bytes], Any]


JSON_PACKING = Packing(1, msgspec.json.Encoder().encode, msgspec.json.Decoder().decode)
MSGPACK_PACKING = Packing(2, msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode)


_SYMBOL = re.compile(r"[!-~]([ -~]{0,21}[!-~])?")


def is_symbol(name: object) -> bool:
    """Whether it can be one: printable ASCII, like "BRK A", or the "*" of all symbols."""
    return isinstance(name, str) and _SYMBOL.fullmatch(name) is not None


def tape_of(venue: str) -> int:
    """The tape of a symbol by its listing venue; 0 if that is not known."""
    return TAPES.get(venue, OTHER_TAPE) if venue else 0
