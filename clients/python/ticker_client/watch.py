"""What a program watches: an iterator over the messages of some symbols on one channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any, Generic, TypeVar, cast

from .errors import TickerError, UnknownSymbolError
from .messages import Lagged, LiveBar, Status
from .topic import ALL, Event, Topic, symbol_in

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Watch(AsyncIterator[E_co], Generic[E_co]):
    """Messages as they come, over reconnects, until it is closed.

    A slow reader gets the newest message of each symbol, on `bars` the newest of each bar. On
    `trades` each message waits. `kept` messages wait at most; `dropped` counts those that were too
    many. `unknown` are those of its symbols that no feed has. `members` are the symbols that it
    gets, with those of its watchlists; None: it gets all.
    """

    def __init__(
        self,
        topic: Topic,
        symbols: tuple[str, ...],
        kept: int,
        leave: Callable[[Watch[Any]], None],
    ) -> None:
        self.topic = topic
        self.symbols = frozenset(symbols)
        self.members = None if ALL in symbols else self.symbols
        self.kept = kept
        self.dropped = 0
        self.unknown: frozenset[str] = frozenset()
        self._waiting: dict[Hashable, Event] = {}
        self._count = 0
        self._ready = asyncio.Event()
        self._failure: TickerError | None = None
        self._closed = False
        self._leave = leave

    def gets(self, symbol: str) -> bool:
        """Whether it is to get the messages of a symbol."""
        return self.members is None or symbol in self.members

    def put(self, message: Event) -> None:
        """A message of one of its symbols."""
        if isinstance(message, Status):
            return
        key = self._key(message)
        self._waiting.pop(key, None)
        if len(self._waiting) >= self.kept:
            self._waiting.pop(next(iter(self._waiting)))
            self.dropped += 1
        self._waiting[key] = message
        self._ready.set()

    def _key(self, message: Event) -> Hashable:
        """Of messages with one key the newest is enough."""
        if self.topic.channel == "trades" or isinstance(message, Lagged):
            self._count += 1
            return self._count
        return (
            (message.symbol, message.start) if isinstance(message, LiveBar) else symbol_in(message)
        )

    def refuse(self, unknown: set[str]) -> bool:
        """The server does not know these: an end, if there are no others. Whether that is news."""
        before, self.unknown = self.unknown, self.symbols & unknown
        if self.unknown == before:
            return False
        if self.symbols == self.unknown:
            names = ", ".join(sorted(self.symbols))
            self.fail(UnknownSymbolError(f"no feed has {names}; look it up with client.symbols()"))
        return True

    def fail(self, error: TickerError) -> None:
        """Nothing more will come."""
        self._failure = error
        self._ready.set()

    def close(self) -> None:
        """Stop watching; the iteration ends."""
        if not self._closed:
            self._closed = True
            self._ready.set()
            self._leave(self)

    async def __anext__(self) -> E_co:
        return cast(E_co, await self._next())

    async def _next(self) -> Event:
        while True:
            if self._closed:
                raise StopAsyncIteration
            if self._waiting:
                return self._waiting.pop(next(iter(self._waiting)))
            if self._failure is not None:
                raise self._failure
            self._ready.clear()
            await self._ready.wait()
