"""The sync client: the same calls without `await`, from a loop in a thread of its own.

It works where a loop runs already, as inside of Jupyter.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from . import client as of_loop
from .messages import (
    Bar,
    Book,
    Depth,
    Interval,
    Lagged,
    ListedSymbol,
    LiveBar,
    Movers,
    PriceObject,
    Prices,
    Snapshot,
)
from .table import BarTable, Table
from .topic import Event
from .watch import Watch as AsyncWatch

T = TypeVar("T")


E_co = TypeVar("E_co", bound=Event, covariant=True)


class Watch(Iterator[E_co], Generic[E_co]):
    """The messages of a watch, one after the other; `close()` ends the iteration."""

    def __init__(self, client: Client, watch: AsyncWatch[E_co]) -> None:
        self._client = client
        self._watch = watch

    @property
    def dropped(self) -> int:
        """Messages of `trades` that were too many to wait."""
        return self._watch.dropped

    def __next__(self) -> E_co:
        try:
            return self._client.call(self._watch.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Stop watching."""
        self._client.run(self._watch.close)


class Client:
    """As ticker_client.Client; use it as a context manager, or `close()` it."""

    def __init__(self, url: str = "http://localhost:8700", token: str | None = None) -> None:
        self._inner = of_loop.Client(url, token)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="ticker")
        self._thread.start()
        try:
            self.call(self._inner.__aenter__())
        except BaseException:
            self._stop()
            raise

    @property
    def state(self) -> str:
        """ "open" or "waiting"."""
        return self._inner.state

    @property
    def reason(self) -> str:
        """Why it waits."""
        return self._inner.reason

    @property
    def lag(self) -> float | None:
        """The age of the newest message when it came, in s."""
        return self._inner.lag

    def prices(self, *symbols: str) -> Watch[Snapshot]:
        """The last sale of each, as it changes."""
        return Watch(self, self.run(self._inner.prices, *symbols))

    def quotes(self, *symbols: str) -> Watch[Snapshot]:
        """The last sale, the quote and the figures of the day."""
        return Watch(self, self.run(self._inner.quotes, *symbols))

    def trades(self, *symbols: str, kept: int = of_loop.KEPT) -> Watch[Event]:
        """Every eligible trade, and what is corrected or cancelled."""
        return Watch(self, self.run(self._inner.trades, *symbols, kept=kept))

    def live_bars(
        self, *symbols: str, interval: Interval = "1m", kept: int = of_loop.KEPT
    ) -> Watch[LiveBar | Lagged]:
        """Bars as they form, end and are corrected."""
        return Watch(self, self.run(self._inner.live_bars, *symbols, interval=interval, kept=kept))

    def depth(
        self, *symbols: str, levels: int | None = None, venue: str | None = None
    ) -> Watch[Depth]:
        """The whole book of each, best levels first, as it changes."""
        return Watch(self, self.run(self._inner.depth, *symbols, levels=levels, venue=venue))

    def movers(self, limit: int | None = None) -> Watch[Movers]:
        """The symbols that gain, lose and trade most."""
        return Watch(self, self.run(self._inner.movers, limit))

    def bar_table(self, *symbols: str, interval: Interval = "1m", limit: int = 120) -> BarTable:
        """The newest bars of each, `limit` of the past to begin with, kept up to date."""
        return self.call(self._inner.bar_table(*symbols, interval=interval, limit=limit))

    def table(self, *symbols: str) -> Table:
        """The newest quote of each, kept up to date."""
        return self.run(self._inner.table, *symbols)

    def price(self, symbol: str, venue: str | None = None) -> PriceObject:
        """Everything known of a symbol."""
        return self.call(self._inner.price(symbol, venue))

    def several(self, *symbols: str, venue: str | None = None) -> Prices:
        """The price objects of several symbols."""
        return self.call(self._inner.several(*symbols, venue=venue))

    def book(self, symbol: str, levels: int = 10, venue: str | None = None) -> Book:
        """The best levels of bids and asks, by price."""
        return self.call(self._inner.book(symbol, levels, venue))

    def bars(
        self,
        symbol: str,
        interval: str = "1m",
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 120,
        venue: str | None = None,
    ) -> list[Bar]:
        """Bars, oldest first: the first `limit` from `start` on, or the newest without one."""
        return self.call(
            self._inner.bars(symbol, interval, start=start, end=end, limit=limit, venue=venue)
        )

    def symbols(self, query: str = "", limit: int = 20) -> list[ListedSymbol]:
        """Symbols whose ticker or name matches."""
        return self.call(self._inner.symbols(query, limit))

    def status(self) -> dict[str, Any]:
        """Feeds, markets and gateways at this moment."""
        return self.call(self._inner.status())

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine of the loop; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def run(self, act: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """The result of a call that belongs into the loop."""

        async def called() -> T:
            return act(*arguments, **options)

        return self.call(called())

    def close(self) -> None:
        """Leave the server."""
        if not self._loop.is_closed():
            self.call(self._inner.close())
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
