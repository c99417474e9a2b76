"""The async client: one connection for all that a program watches, opened again when it ends."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from .dialogue import SUBPROTOCOL, Dialogue
from .errors import AuthError, NoServerError, TickerError, reason_of
from .messages import (
    Depth,
    Interval,
    Lagged,
    LiveBar,
    Movers,
    Snapshot,
    Status,
    Update,
)
from .rest import Rest, new_session
from .table import BarTable, Table
from .topic import Event, Topic, is_group, name_in, symbol_in
from .watch import Watch

KEPT = 100_000
TIMEOUT = aiohttp.ClientTimeout(total=10)
CLOSE_TIMEOUT = 1.0


class Client(Rest):
    """A server by its URL, like http://localhost:8700; `token` for one that asks.

    Use it as an async context manager. `state` is "open" or "waiting", `reason` says why it waits,
    `lag` is the age in s of the newest message when it came, by both clocks. `on_change` is called
    when the state has changed, or when the server has said which symbols it does not have, or why
    one has to wait: that is in `notes`, by symbol, until its book comes. Among symbols, "@tech" is
    a watchlist of the server's configuration, and "*" are all of them.

    Raises:
        NoServerError: nothing answers at the URL when it is entered.
        AuthError: the server wants a token, or another one.
    """

    def __init__(
        self,
        url: str = "http://localhost:8700",
        token: str | None = None,
        on_change: Callable[[Client], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server, like http://localhost:8700")
        self.token = token
        self.on_change = on_change
        self.state = "waiting"
        self.reason = "not connected yet"
        self.lag: float | None = None
        self.notes: dict[str, str] = {}
        self.url = url.rstrip("/")
        self._dialogue = Dialogue()
        self._watches: list[Watch[Any]] = []
        self._newest: dict[tuple[str, str], Event] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        super().__init__(self.url, new_session(self.token, TIMEOUT))
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())
        try:
            await self._first
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the server; every iteration ends."""
        for watch in list(self._watches):
            watch.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.session.close()

    # -- what is watched -------------------------------------------------------------------

    def prices(self, *symbols: str) -> Watch[Snapshot]:
        """The last sale of each, as it changes."""
        return self._watch(Topic("price"), symbols)

    def quotes(self, *symbols: str) -> Watch[Snapshot]:
        """The last sale, the quote and the figures of the day."""
        return self._watch(Topic("quote"), symbols)

    def trades(self, *symbols: str, kept: int = KEPT) -> Watch[Event]:
        """Every eligible trade, and what is corrected or cancelled; up to `kept` wait."""
        return self._watch(Topic("trades"), symbols, kept)

    def live_bars(
        self, *symbols: str, interval: Interval = "1m", kept: int = KEPT
    ) -> Watch[LiveBar | Lagged]:
        """Bars as they form, end and are corrected; a message with the same `start` replaces the
        one before it. `bars()` has those of the past."""
        return self._watch(Topic("bars", interval), symbols, kept)

    def depth(
        self, *symbols: str, levels: int | None = None, venue: str | None = None
    ) -> Watch[Depth]:
        """The whole book of each, best levels first, as it changes; over all venues or of one.
        None: as many levels as the server has by default.

        Raises:
            ValueError: a book of these is watched with another number of levels.
        """
        topic = Topic("depth", levels=levels, venue=venue)
        self._check_one(topic, symbols)
        return self._watch(topic, symbols)

    def movers(self, limit: int | None = None) -> Watch[Movers]:
        """The symbols that gain, lose and trade most, `limit` of each; None: 10.

        Raises:
            ValueError: lists of another length are watched.
        """
        topic = Topic("movers", limit=limit)
        self._check_one(topic, ("",))
        return self._watch(topic, ("",))

    def _check_one(self, topic: Topic, symbols: tuple[str, ...]) -> None:
        """A connection has one book of a symbol, and one list of movers."""
        for each in self._watches:
            both = each.symbols & frozenset(symbols)
            if both and each.topic.name == topic.name and each.topic != topic:
                what = min(both) or "the list of movers"
                raise ValueError(f"{what} is watched with {each.topic.words()}; use the same")

    def table(self, *symbols: str) -> Table:
        """The newest quote of each, kept up to date."""
        return Table(self.quotes(*symbols))

    async def bar_table(
        self, *symbols: str, interval: Interval = "1m", limit: int = 120
    ) -> BarTable:
        """The newest bars of each, `limit` of the past to begin with, kept up to date."""
        table = BarTable(self.live_bars(*symbols, interval=interval))
        if interval != "1s":  # the store has none
            for symbol in dict.fromkeys(symbols):
                table.begin(symbol, await self.bars(symbol, interval, limit=limit))
        return table

    def _watch(self, topic: Topic, symbols: tuple[str, ...], kept: int = KEPT) -> Watch[Any]:
        if not symbols:
            raise ValueError("name at least one symbol, like 'AAPL'")
        watch: Watch[Any] = Watch(topic, symbols, kept, self._leave)
        self._watches.append(watch)
        self._gather(watch)
        for (name, symbol), known in self._newest_of(watch):  # it was told to another watch already
            if name == topic.name and watch.gets(symbol):
                watch.put(known)
        self._send(self._dialogue.subscribe(topic, symbols))
        return watch

    def _newest_of(self, watch: Watch[Any]) -> list[tuple[tuple[str, str], Event]]:
        """The newest messages that may be of a watch."""
        if any(map(is_group, watch.symbols)):
            return list(self._newest.items())
        keys = ((watch.topic.name, symbol) for symbol in sorted(watch.symbols))
        return [(key, self._newest[key]) for key in keys if key in self._newest]

    def _gather(self, watch: Watch[Any]) -> None:
        """Give a watch the symbols that its watchlists have, as far as the server has said."""
        if watch.members is not None and any(map(is_group, watch.symbols)):
            members = self._dialogue.members
            named = (members.get((watch.topic.name, each), ()) for each in watch.symbols)
            watch.members = watch.symbols.union(*named)

    def _leave(self, watch: Watch[Any]) -> None:
        self._watches.remove(watch)
        others = [each.symbols for each in self._watches if each.topic == watch.topic]
        gone = watch.symbols - frozenset().union(*others)
        left = [each for each in self._watches if each.topic.name == watch.topic.name]
        for (name, symbol), _ in self._newest_of(watch):
            if name == watch.topic.name and not any(each.gets(symbol) for each in left):
                self._newest.pop((name, symbol))
        self._send(self._dialogue.unsubscribe(watch.topic, sorted(gone)))

    # -- the connection --------------------------------------------------------------------

    def _send(self, commands: list[str]) -> None:
        if self._socket is not None and not self._socket.closed:
            for command in commands:
                task = asyncio.ensure_future(self._socket.send_str(command))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _run(self) -> None:
        try:
            while True:
                code = await self._one_connection()
                self.state = "waiting"
                pause = self._dialogue.closed(code, random.random())
                self._changed()
                await asyncio.sleep(pause)
        except TickerError as error:
            self._fail(error)

    def _fail(self, error: TickerError) -> None:
        self.state, self.reason = "waiting", str(error)
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)
        for watch in self._watches:
            watch.fail(error)

    async def _one_connection(self) -> int | None:
        """Until it ends: its close code."""
        try:
            async with self.session.ws_connect(
                f"{self.url}/stream",
                protocols=(SUBPROTOCOL,),
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
            ) as socket:
                self._socket = socket
                self._dialogue.opened(time.monotonic())
                await self._converse(socket)
                self.reason = f"the server closed the stream with {socket.close_code}"
                return socket.close_code
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (401, 403):
                raise AuthError(f"{self.url}: {error.status}; give a valid token") from None
            self.reason = f"the handshake was answered with {error.status}"
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            self.reason = reason_of(error) or "the server does not answer"
        finally:
            self._socket = None
        if self._first is not None and not self._first.done():
            raise NoServerError(self.url, self.reason)
        return None

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            left = self._dialogue.deadline - time.monotonic()
            received = await socket.receive(max(left, 0.001))
            if received.type is not aiohttp.WSMsgType.TEXT:
                return
            events, commands = self._dialogue.received(received.data, time.monotonic())
            for command in commands:
                await socket.send_str(command)
            for watch in self._watches if self._dialogue.regrouped else ():
                self._gather(watch)
            self._dialogue.regrouped = False
            if self.state != "open" and self._dialogue.hello is not None:
                self._opened()
            for event in events:
                self._hand_out(event)
            self._look_for_refusals()

    def _look_for_refusals(self) -> None:
        changed = bool(self._dialogue.notes)
        self.notes.update(self._dialogue.notes)
        self._dialogue.notes.clear()
        for watch in self._watches:
            changed |= watch.refuse(self._dialogue.unknown.get(watch.topic.name, set()))
        for topic, symbols, error in self._dialogue.refused:
            for watch in self._watches:
                if watch.topic == topic and watch.symbols & symbols:
                    watch.fail(error)
        self._dialogue.refused.clear()
        if changed:
            self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change(self)

    def _opened(self) -> None:
        self.state, self.reason = "open", ""
        self._changed()
        if self._first is not None and not self._first.done():
            self._first.set_result(None)

    def _hand_out(self, event: Event) -> None:
        if isinstance(event, Snapshot | Update):
            self.lag = time.time() - event.timestamp.timestamp()
        if isinstance(event, Status):
            return
        name, symbol = name_in(event), symbol_in(event)
        if self.notes and isinstance(event, Depth):
            self.notes.pop(symbol, None)
        if name != "trades" and not _is_older(event, self._newest.get((name, symbol))):
            self._newest[name, symbol] = event
        for watch in self._watches:
            of_it = watch.topic.name == name
            if isinstance(event, Lagged):  # it does not say of which of the two
                of_it = watch.topic.channel in ("trades", "bars")
            if of_it and watch.gets(symbol):
                watch.put(event)


def _is_older(event: Event, known: Event | None) -> bool:
    """Whether it is a bar before the one that is known."""
    return isinstance(event, LiveBar) and isinstance(known, LiveBar) and event.start < known.start
