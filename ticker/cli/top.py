"""`ticker top`: an overview of a running server, kept up to date."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from ticker.client.server import Server, server_options
from ticker.client.vitals import WIDE, columns_needed, read, render


@click.command()
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option("--once", is_flag=True, help="Print it once, with rates over one interval.")
@server_options
def command(interval: float, once: bool, url: str, token: str | None) -> None:
    """Show feeds, gateways and latencies of a running server until Ctrl-C.

    A server that asks for tokens needs one with `metrics = true`.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_show(Server(url, token), interval, once))


async def _show(server: Server, interval: float, once: bool) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    before = await read(server)
    await asyncio.sleep(interval)
    now = await read(server)
    if once:
        screen = render(before, now)
        console.width = max(console.width, columns_needed(console, screen))
        console.print(screen)
        return
    with Live(
        _fitting(console, render(before, now)), console=console, screen=True, auto_refresh=False
    ) as live:
        while True:
            await asyncio.sleep(interval)
            before, now = now, await read(server)
            live.update(_fitting(console, render(before, now)), refresh=True)


def _fitting(console: Console, screen: RenderableType) -> RenderableType:
    """The screen, or the width that the window needs for it."""
    needed = columns_needed(console, screen)
    if needed <= console.width:
        return screen
    return Text(f"{needed} columns are needed here, and the window has {console.width}.")
