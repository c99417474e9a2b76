"""The dialogue with a server, without a socket and without a clock.

In: texts of the server, the time of a monotonic clock in s, and what the program wants to watch.
Out: commands to send, and messages. One dialogue lives over all connections, and knows what was
seen last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from .books import Books
from .errors import AuthError, RefusedError, TickerError
from .messages import (
    AnyMessage,
    Cancel,
    Correction,
    Delta,
    Depth,
    Error,
    Goodbye,
    Hello,
    Lagged,
    LiveBar,
    Movers,
    Recovered,
    Snapshot,
    Status,
    Subscribed,
    Unsubscribed,
    Update,
)
from .topic import Event, Topic, name_in

SUBPROTOCOL = "ticker.v1.json"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
SILENCE = 2.0
"""Heartbeats without a message after which the server is given up."""
HEAD_TIMEOUT = 10.0
"""s for the first message of a connection."""
AUTH = frozenset({4401, 4402, 4404})
NOT_AUTHENTICATED, AUTH_FAILED, AUTH_TIMEOUT, SLOW_CLIENT = 401, 402, 404, 407
_decoder = msgspec.json.Decoder(AnyMessage)
_any = msgspec.json.Decoder(dict[str, Any])


class Refused(NamedTuple):
    """A command that the server refused, and why. These symbols are watched no more."""

    topic: Topic
    symbols: frozenset[str]
    error: TickerError


class Dialogue:
    """`unknown` has the symbols that the server refused, by the name of their topic; `refused` the
    commands that were refused whole, `notes` words on symbols that have to wait: for the reader to
    take."""

    def __init__(self) -> None:
        self.watched: dict[Topic, dict[str, datetime | None]] = {}
        self.unknown: dict[str, set[str]] = {}
        self.refused: list[Refused] = []
        self.notes: dict[str, str] = {}
        self.books = Books()
        self._asked: deque[tuple[Topic, frozenset[str]]] = deque()  # not answered yet
        self.hello: Hello | None = None
        self.deadline = 0.0
        self.pause = FIRST_PAUSE
        self._retry_after: float | None = None

    # -- what the program wants ------------------------------------------------------------

    def subscribe(self, topic: Topic, symbols: Iterable[str]) -> list[str]:
        """The commands for symbols that are not watched yet. The lists of movers have one symbol,
        the empty one."""
        watched = self.watched.setdefault(topic, {})
        fresh = [symbol for symbol in dict.fromkeys(symbols) if symbol not in watched]
        watched.update(dict.fromkeys(fresh))
        return [self._subscribe(topic, fresh)] if fresh and self.hello else []

    def unsubscribe(self, topic: Topic, symbols: Iterable[str]) -> list[str]:
        """The commands for symbols that nobody watches any more."""
        watched = self.watched.get(topic, {})
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in watched]
        for symbol in gone:
            del watched[symbol]
            self.unknown.get(topic.name, set()).discard(symbol)
            self.books.forget(topic.venue or "", symbol)
        return [self._unsubscribe(topic, gone)] if gone and self.hello else []

    # -- a connection ----------------------------------------------------------------------

    def opened(self, now: float) -> None:
        """The socket is open; the server speaks first."""
        self.hello = None
        self.books.clear()
        self._asked.clear()
        self._retry_after = None
        self.deadline = now + HEAD_TIMEOUT

    def received(self, text: str | bytes, now: float) -> tuple[list[Event], list[str]]:
        """What a text tells, and the commands that answer it.

        Raises:
            AuthError: the server wants a token, or another one.
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
            self._answered()
            refused = {each.symbol for each in message.rejected}
            name = name_in(message)
            self.unknown[name] = self.unknown.get(name, set()) - {*message.symbols} | refused
        elif isinstance(message, Goodbye):
            self._retry_after = message.retry_after
        elif isinstance(message, Error):
            self._refuse(message)
        elif isinstance(message, Unsubscribed):
            self._answered()
        elif isinstance(message, Delta):
            again = not self.books.waits(message)
            book = self.books.apply(message)
            events += [] if book is None else [book]
            commands += self._lost(message) if book is None and again else []
        elif isinstance(message, Depth):
            events.append(self.books.put(message))
        elif isinstance(message, Snapshot | Update | Correction | Cancel | Lagged | Status):
            events.append(message)
            self._saw(message)
        elif isinstance(message, LiveBar | Movers):
            events.append(message)
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
        again = [(topic, watched) for topic, watched in self.watched.items() if watched]
        self._asked.extend((topic, frozenset(watched)) for topic, watched in again)
        return [_again(topic, watched) for topic, watched in again]

    def _subscribe(self, topic: Topic, symbols: list[str]) -> str:
        self._asked.append((topic, frozenset(symbols)))
        return _command("subscribe", topic, symbols)

    def _unsubscribe(self, topic: Topic, symbols: list[str]) -> str:
        self._asked.append((topic, frozenset()))
        return _command("unsubscribe", topic, symbols)

    def _answered(self) -> tuple[Topic, frozenset[str]] | None:
        """The command that an answer is to: the server answers them in their order."""
        return self._asked.popleft() if self._asked else None

    def _refuse(self, error: Error) -> None:
        """A command was refused, and nothing else ends; but for a client that has no token."""
        tokenless = self.hello is not None and self.hello.auth
        if error.code in (AUTH_FAILED, AUTH_TIMEOUT) or (
            error.code == NOT_AUTHENTICATED and (tokenless or not self._asked)
        ):
            raise AuthError(f"{error.message} (code {error.code}); give a valid token")
        if error.symbol:  # of a symbol that is watched: it answers no command
            self.notes[error.symbol] = error.message
            return
        asked = self._answered() if error.code != SLOW_CLIENT else None
        if asked is None or not asked[1]:
            return
        topic, symbols = asked
        for symbol in symbols:
            self.watched.get(topic, {}).pop(symbol, None)
        why: TickerError = RefusedError(error.code, error.message)
        if error.code == NOT_AUTHENTICATED:
            why = AuthError(f"{error.message} (code {error.code})")
        self.refused.append(Refused(topic, symbols, why))

    def _lost(self, delta: Delta) -> list[str]:
        """A book whose delta does not fit is asked for again."""
        return [
            self._subscribe(topic, [delta.symbol])
            for topic, watched in self.watched.items()
            if topic.channel == "depth" and topic.venue == (delta.venue or None)
            if delta.symbol in watched
        ]

    def _saw(self, message: Event) -> None:
        if isinstance(message, Snapshot | Update):
            watched = self.watched.get(Topic(message.channel or "price"), {})
            if message.symbol in watched:
                watched[message.symbol] = message.timestamp


def _command(action: str, topic: Topic, symbols: list[str]) -> str:
    words = topic.words()
    if action == "unsubscribe":
        words = {name: word for name, word in words.items() if name not in ("levels", "limit")}
    named = {} if topic.channel == "movers" else {"symbols": symbols}
    return _encoded({"action": action, **words, **named})


def _again(topic: Topic, watched: dict[str, datetime | None]) -> str:
    """The command that subscribes to all of a topic on a new connection."""
    seen = {symbol: seen.isoformat() if seen else None for symbol, seen in watched.items()}
    if topic.channel == "movers":
        seen = {}
    return _encoded({"action": "reconnect", **topic.words(), "last_seen": seen})


def _encoded(command: dict[str, object]) -> str:
    return msgspec.json.encode(command).decode()
