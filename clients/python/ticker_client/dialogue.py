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
from .topic import ALL, Event, Topic, apart, is_group, name_in

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
    take. `members` has the symbols of each group, by the name of its topic and its own."""

    def __init__(self) -> None:
        self.watched: dict[Topic, dict[str, datetime | None]] = {}
        self.unknown: dict[str, set[str]] = {}
        self.refused: list[Refused] = []
        self.notes: dict[str, str] = {}
        self.members: dict[tuple[str, str], frozenset[str]] = {}
        self.regrouped = False  # since the reader has looked
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
        return [self._subscribe(topic, names) for names in apart(fresh)] if self.hello else []

    def unsubscribe(self, topic: Topic, symbols: Iterable[str]) -> list[str]:
        """The commands for symbols that nobody watches any more. A symbol of a group that is still
        watched goes on; what a group that goes had in common with the others is asked for again."""
        watched = self.watched.get(topic, {})
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in watched]
        for symbol in gone:
            del watched[symbol]
            self.unknown.get(topic.name, set()).discard(symbol)
        told = [symbol for symbol in gone if not self.is_watched(topic, symbol)]
        for name in told:
            for symbol in self.members.pop((topic.name, name), {name}):
                self.books.forget(topic.venue or "", symbol)
        commands = [self._unsubscribe(topic, told)] if told and self.hello else []
        if commands and any(map(is_group, told)):
            commands += self._ask_again(topic)
        return commands

    def is_watched(self, topic: Topic, symbol: str) -> bool:
        """Whether a symbol is watched, by its name or by a group that has it."""
        watched = self.watched.get(topic, {})
        if symbol in watched or (ALL in watched and not is_group(symbol)):
            return True
        groups = (self.members.get((topic.name, name), ()) for name in watched if is_group(name))
        return any(symbol in group for group in groups)

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
            self._answered_with(frozenset(message.symbols))
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
        return [command for topic in self.watched for command in self._ask_again(topic)]

    def _ask_again(self, topic: Topic) -> list[str]:
        """The commands that subscribe to all that is watched of a topic, as of what was seen."""
        watched = self.watched[topic]
        parts = apart(watched)
        self._asked.extend((topic, frozenset(names)) for names in parts)
        return [_again(topic, {name: watched[name] for name in names}) for names in parts]

    def _subscribe(self, topic: Topic, symbols: list[str]) -> str:
        self._asked.append((topic, frozenset(symbols)))
        return _command("subscribe", topic, symbols)

    def _unsubscribe(self, topic: Topic, symbols: list[str]) -> str:
        self._asked.append((topic, frozenset()))
        return _command("unsubscribe", topic, symbols)

    def _answered(self) -> tuple[Topic, frozenset[str]] | None:
        """The command that an answer is to: the server answers them in their order."""
        return self._asked.popleft() if self._asked else None

    def _answered_with(self, symbols: frozenset[str]) -> None:
        """The symbols that a command took: those of the group, if it was about one."""
        asked = self._answered()
        for name in asked[1] if asked is not None else ():
            if asked is not None and is_group(name):
                self.members[asked[0].name, name] = symbols
                self.regrouped = True

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
            for topic in self.watched
            if topic.channel == "depth" and topic.venue == (delta.venue or None)
            if self.is_watched(topic, delta.symbol)
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
