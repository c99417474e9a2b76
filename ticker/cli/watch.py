"""`ticker watch`: prices in the terminal, as they change."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ticker.client.server import Server, server_options
from ticker.client.stream import Stream

REFRESH = 10  # times a second
FLASH = 0.6  # s that a change stays coloured
TAKEN_BACK = "taken back"


class Board:
    """The table on the screen: one line per symbol, in the order asked for."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.symbols = list(dict.fromkeys(symbols))
        self.prices: dict[str, tuple[Decimal | None, str]] = {}
        self.moved: dict[str, tuple[float, int]] = {}
        self.notes: dict[str, str] = {}
        self.down = ""

    def take(self, message: dict[str, Any], now: float) -> None:
        """One message of the stream; `now` in seconds, monotonic."""
        kind = message.get("type")
        self.down = message["reason"] if kind == "down" else ""
        if kind in ("snapshot", "update"):
            symbol, price = message["symbol"], message["price"]
            before, _ = self.prices.get(symbol, (None, ""))
            if price is not None and before is not None and before != price:
                self.moved[symbol] = (now, 1 if price > before else -1)
            self.prices[symbol] = (price, message["timestamp"])
        elif kind == "error" and message.get("symbol"):
            self.notes[message["symbol"]] = message["reason"].replace("_", " ")

    def render(self, now: float) -> Table:
        """The table at `now`."""
        caption = f"[red]not connected: {self.down}; trying again[/]" if self.down else None
        table = Table(box=None, caption=caption, caption_justify="left", header_style="dim")
        table.add_column("symbol")
        table.add_column("price", justify="right", min_width=12, overflow="fold")
        table.add_column("last sale (UTC)", overflow="fold")
        for symbol in self.symbols:
            price, moment = self.prices.get(symbol, (None, self.notes.get(symbol, "no price yet")))
            taken_back = TAKEN_BACK if symbol in self.prices else ""
            shown = taken_back if price is None else f"{price:,}"
            table.add_row(symbol, Text(shown, self._style(symbol, now)), moment.replace("T", " "))
        return table

    def _style(self, symbol: str, now: float) -> str:
        moment, direction = self.moved.get(symbol, (float("-inf"), 0))
        if now - moment > FLASH:
            return "bold"
        return "bold green" if direction > 0 else "bold red"


@click.command()
@click.argument("symbols", nargs=-1, required=True)
@server_options
def command(symbols: tuple[str, ...], url: str, token: str | None) -> None:
    """Watch the prices of SYMBOLS until Ctrl-C.

    A terminal shows a table that is kept up to date. Other outputs get one line per change. Exit
    code 1: the server has none of the symbols. Exit code 4: no server was reached.
    """
    stream = Stream(Server(url, token), list(dict.fromkeys(symbols)))
    console = Console()
    run = _table(stream, Board(symbols), console) if console.is_terminal else _lines(stream)
    with suppress(KeyboardInterrupt):
        asyncio.run(run)


async def _lines(stream: Stream) -> None:
    # Close the session here, also when the reader of the output is gone: nothing else closes it.
    async with aclosing(stream.messages()) as messages:
        async for message in messages:
            if message["type"] in ("snapshot", "update"):
                price = TAKEN_BACK if message["price"] is None else message["price"]
                click.echo(f"{message['timestamp']} {message['symbol']} {price}")
            else:
                click.echo(f"{message.get('symbol', '')} {message['reason']}".strip(), err=True)


async def _table(stream: Stream, board: Board, console: Console) -> None:
    loop = asyncio.get_running_loop()
    with Live(board.render(loop.time()), console=console, auto_refresh=False) as live:

        async def draw() -> None:
            while True:
                live.update(board.render(loop.time()), refresh=True)
                await asyncio.sleep(1 / REFRESH)

        drawing = loop.create_task(draw())
        try:
            async with aclosing(stream.messages()) as messages:
                async for message in messages:
                    board.take(message, loop.time())
        finally:
            drawing.cancel()
