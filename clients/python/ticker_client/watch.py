"""What a program watches: an iterator over the messages of some symbols on one channel."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar, cast

from ticker_client.dialogue import Channel, Event
from ticker_client.errors import TickerError, UnknownSymbolError
from ticker_client.messages import Snapshot, Status, Update

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Watch(AsyncIterator[E_co], Generic[E_co]):
    """Messages as they come, over reconnects, until it is closed.

    On `price` and `quote` a slow reader gets the newest message of each symbol. On `trades` up to
    `kept` messages wait; `dropped` counts those that were too many.
    """

    def __init__(
        self,
        channel: Channel,
        symbols: tuple[str, ...],
        kept: int,
        leave: Callable[[Watch[Any]], None],
    ) -> None:
        self.channel = channel
        self.symbols = frozenset(symbols)
        self.kept = kept
        self.dropped = 0
        self._newest: dict[str, Event] = {}
        self._each: deque[Event] = deque()
        self._ready = asyncio.Event()
        self._failure: TickerError | None = None
        self._closed = False
        self._leave = leave

    def put(self, message: Event) -> None:
        """A message of one of its symbols."""
        if self.channel == "trades":
            if len(self._each) >= self.kept:
                self._each.popleft()
                self.dropped += 1
            self._each.append(message)
        elif isinstance(message, Snapshot | Update):
            self._newest.pop(message.symbol, None)
            self._newest[message.symbol] = message
        elif isinstance(message, Status):
            return
        self._ready.set()

    def refuse(self, unknown: set[str]) -> None:
        """The server does not know these: an end, if there are no others."""
        if self.symbols and self.symbols <= unknown:
            names = ", ".join(sorted(self.symbols))
            self.fail(UnknownSymbolError(f"no feed has {names}; look it up with client.symbols()"))

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
            if self._newest:
                return self._newest.pop(next(iter(self._newest)))
            if self._each:
                return self._each.popleft()
            if self._failure is not None:
                raise self._failure
            self._ready.clear()
            await self._ready.wait()
