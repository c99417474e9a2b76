"""The dialogue with a server, without a socket and without a clock.

In: texts of the server, the time of a monotonic clock in s, and what the program wants to watch.
Out: commands to send, and messages. One dialogue lives over all connections, and knows what was
seen last.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, cast

import msgspec

from ticker_client.errors import AuthError
from ticker_client.messages import (
    AnyMessage,
    Cancel,
    Correction,
    Error,
    Goodbye,
    Hello,
    Lagged,
    Recovered,
    Snapshot,
    Status,
    Subscribed,
    Update,
)

Channel = Literal["price", "quote", "trades"]
SUBPROTOCOL = "ticker.v1.json"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
SILENCE = 2.0
"""Heartbeats without a message after which the server is given up."""
HEAD_TIMEOUT = 10.0
"""s for the first message of a connection."""
AUTH = frozenset({4401, 4402, 4404})
Event = Snapshot | Update | Correction | Cancel | Lagged | Status
_decoder = msgspec.json.Decoder(AnyMessage)
_any = msgspec.json.Decoder(dict[str, Any])


class Dialogue:
    """`unknown` has the symbols that the server refused, by channel."""

    def __init__(self) -> None:
        self.watched: dict[Channel, dict[str, datetime | None]] = {}
        self.unknown: dict[Channel, set[str]] = {}
        self.hello: Hello | None = None
        self.deadline = 0.0
        self.pause = FIRST_PAUSE
        self._retry_after: float | None = None

    # -- what the program wants ------------------------------------------------------------

    def subscribe(self, channel: Channel, symbols: Iterable[str]) -> list[str]:
        """The commands for symbols that are not watched yet."""
        watched = self.watched.setdefault(channel, {})
        fresh = [symbol for symbol in dict.fromkeys(symbols) if symbol not in watched]
        watched.update(dict.fromkeys(fresh))
        return [_command("subscribe", channel, fresh)] if fresh and self.hello else []

    def unsubscribe(self, channel: Channel, symbols: Iterable[str]) -> list[str]:
        """The commands for symbols that nobody watches any more."""
        watched = self.watched.get(channel, {})
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in watched]
        for symbol in gone:
            del watched[symbol]
            self.unknown.get(channel, set()).discard(symbol)
        return [_command("unsubscribe", channel, gone)] if gone and self.hello else []

    # -- a connection ----------------------------------------------------------------------

    def opened(self, now: float) -> None:
        """The socket is open; the server speaks first."""
        self.hello = None
        self._retry_after = None
        self.deadline = now + HEAD_TIMEOUT

    def received(self, text: str | bytes, now: float) -> tuple[list[Event], list[str]]:
        """What a text tells, and the commands that answer it.

        Raises:
            AuthError: the server wants a token.
        """
        try:
            message = _decoder.decode(text)
        except msgspec.ValidationError:
            if "type" not in _any.decode(text):
                raise
            return [], []  # of a newer server: fields and messages are only ever added
        commands: list[str] = []
        events: list[Event] = []
        if isinstance(message, Hello):
            commands = self._greeted(message)
        elif isinstance(message, Subscribed | Recovered):
            refused = {each.symbol for each in message.rejected}
            channel = cast(Channel, message.channel or "price")  # it asks for no other
            self.unknown[channel] = self.unknown.get(channel, set()) - {*message.symbols} | refused
        elif isinstance(message, Goodbye):
            self._retry_after = message.retry_after
        elif isinstance(message, Error):
            if message.code in (401, 402, 404):
                raise AuthError(f"{message.message} (code {message.code}); give a valid token")
        elif isinstance(message, Snapshot | Update | Correction | Cancel | Lagged | Status):
            events.append(message)
            self._saw(message)
        if self.hello is not None:
            self.deadline = now + SILENCE * self.hello.heartbeat
        return events, commands

    def closed(self, code: int | None, chance: float) -> float:
        """The connection is gone: s until the next try. `chance` is a random number in [0, 1).

        Raises:
            AuthError: the server does not let this client in.
        """
        self.hello = None
        if code in AUTH:
            raise AuthError(f"the server closed the stream with {code}; give a valid token")
        if self._retry_after is not None:
            return self._retry_after
        pause = self.pause * (0.5 + chance / 2)
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
        return pause

    def _greeted(self, hello: Hello) -> list[str]:
        self.hello = hello
        self.pause = FIRST_PAUSE
        return [
            _encoded(
                {
                    "action": "reconnect",
                    "channel": channel,
                    "last_seen": {
                        symbol: seen.isoformat() if seen else None
                        for symbol, seen in watched.items()
                    },
                }
            )
            for channel, watched in self.watched.items()
            if watched
        ]

    def _saw(self, message: Event) -> None:
        if isinstance(message, Snapshot | Update):
            watched = self.watched.get(message.channel or "price", {})
            if message.symbol in watched:
                watched[message.symbol] = message.timestamp


def _command(action: str, channel: Channel, symbols: list[str]) -> str:
    return _encoded({"action": action, "channel": channel, "symbols": symbols})


def _encoded(command: dict[str, object]) -> str:
    return msgspec.json.encode(command).decode()
