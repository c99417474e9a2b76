"""`ticker top`: a running server at a glance, kept up to date."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import click
from rich.console import Console
from rich.live import Live

from ticker.client.server import Server, server_options
from ticker.client.vitals import read, render


@click.command()
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option("--once", is_flag=True, help="Print it once, with rates over one interval.")
@server_options
def command(interval: float, once: bool, url: str, token: str | None) -> None:
    """Show feeds, gateways and latencies of a running server until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_show(Server(url, token), interval, once))


async def _show(server: Server, interval: float, once: bool) -> None:
    console = Console()
    before = await read(server)
    await asyncio.sleep(interval)
    now = await read(server)
    if once:
        console.print(render(before, now))
        return
    with Live(render(before, now), console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(interval)
            before, now = now, await read(server)
            live.update(render(before, now), refresh=True)
