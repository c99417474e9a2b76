"""`ticker watch`: prices in the terminal, as they change."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ticker.client import package
from ticker.client.package.topic import is_group
from ticker.client.server import Server, server_options, time_text
from ticker.errors import ClientError

REFRESH = 10  # times a second
FLASH = 0.6  # s that a change stays coloured
TAKEN_BACK = "taken back"
Prices = package.Watch[package.Snapshot]


class Board:
    """The table on the screen: one line per symbol, in the order asked for; those of a watchlist
    below, by their names."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols
        self.prices: dict[str, tuple[Decimal | None, str]] = {}
        self.moved: dict[str, tuple[float, int]] = {}

    def take(self, message: package.Snapshot, now: float) -> None:
        """A price; `now` in seconds, monotonic."""
        symbol, price = message.symbol, message.price
        before, _ = self.prices.get(symbol, (None, ""))
        if price is not None and before is not None and before != price:
            self.moved[symbol] = (now, 1 if price > before else -1)
        self.prices[symbol] = (price, time_text(message.timestamp))

    def render(self, now: float, unknown: Collection[str] = (), down: str = "") -> Table:
        """The table at `now`; `down`: why there is no connection, if there is none."""
        caption = f"[red]not connected: {down}; trying again[/]" if down else None
        table = Table(box=None, caption=caption, caption_justify="left", header_style="dim")
        table.add_column("symbol")
        table.add_column("price", justify="right", min_width=12, overflow="fold")
        table.add_column("last sale (UTC)", overflow="fold")
        for symbol in self._shown(unknown):
            note = "unknown symbol" if symbol in unknown else "no price yet"
            price, moment = self.prices.get(symbol, (None, note))
            taken_back = TAKEN_BACK if symbol in self.prices else ""
            shown = taken_back if price is None else f"{price:,}"
            table.add_row(symbol, Text(shown, self._style(symbol, now)), moment.replace("T", " "))
        return table

    def _shown(self, unknown: Collection[str]) -> list[str]:
        others = sorted(self.prices.keys() - set(self.symbols))
        named = [
            name
            for name in self.symbols
            if not (others and is_group(name)) or name in unknown or name in self.prices
        ]
        return named + others

    def _style(self, symbol: str, now: float) -> str:
        moment, direction = self.moved.get(symbol, (float("-inf"), 0))
        if now - moment > FLASH:
            return "bold"
        return "bold green" if direction > 0 else "bold red"


@click.command()
@click.argument("symbols", nargs=-1, required=True)
@server_options
def command(symbols: tuple[str, ...], url: str, token: str | None) -> None:
    """Watch the prices of SYMBOLS until Ctrl-C; '@tech' is a watchlist of the server, '*' are all.

    A terminal shows a table that is kept up to date. Other outputs get one line per change. Exit
    code 1: the server has none of the symbols. Exit code 4: no server was reached.
    """
    server, symbols = Server(url, token), tuple(dict.fromkeys(symbols))
    console = Console()
    run = _table(server, symbols, console) if console.is_terminal else _lines(server, symbols)
    with suppress(KeyboardInterrupt):
        asyncio.run(run)


async def _lines(server: Server, symbols: tuple[str, ...]) -> None:
    notices = Notices()
    async with server.stream(notices.look) as client:
        notices.watch = watch = client.prices(*symbols)
        with _known(symbols):
            async for message in watch:
                price = TAKEN_BACK if message.price is None else message.price
                click.echo(f"{time_text(message.timestamp)} {message.symbol} {price}")


class Notices:
    """What is said on standard error beside the lines, once each: symbols that the server does not
    have, and why there is no connection."""

    def __init__(self) -> None:
        self.watch: Prices | None = None
        self.said: set[str] = set()

    def look(self, client: package.Client) -> None:
        """Something has changed."""
        unknown = self.watch.unknown if self.watch is not None else frozenset()
        for symbol in sorted(unknown - self.said):
            click.echo(f"{symbol} unknown_symbol", err=True)
        self.said = set(unknown)
        if client.state == "waiting":
            click.echo(client.reason, err=True)


@contextmanager
def _known(symbols: tuple[str, ...]) -> Iterator[None]:
    """Raise ClientError where the server has none of the symbols."""
    try:
        yield
    except package.UnknownSymbolError:
        names = ", ".join(symbols)
        raise ClientError(f"unknown: {names}; look them up with `ticker symbols`") from None


async def _table(server: Server, symbols: tuple[str, ...], console: Console) -> None:
    board, now = Board(symbols), asyncio.get_running_loop().time
    with Live(board.render(now()), console=console, auto_refresh=False) as live:
        async with server.stream() as client:
            watch = client.prices(*symbols)

            async def draw() -> None:
                while True:
                    down = client.reason if client.state == "waiting" else ""
                    live.update(board.render(now(), watch.unknown, down), refresh=True)
                    await asyncio.sleep(1 / REFRESH)

            drawing = asyncio.create_task(draw())
            try:
                with _known(symbols):
                    async for message in watch:
                        board.take(message, now())
            finally:
                drawing.cancel()
