"""`ticker simulate vendor`: a vendor's WebSocket server."""

from __future__ import annotations

import os

import click

from ticker.cli.simulate.live import shown, speak
from ticker.cli.simulate.parameters import Address, Count
from ticker.simulate.servers.vendor import Vendor, VendorSettings
from ticker.supervisor import child


@click.command("vendor")
@click.option("--symbols", type=click.IntRange(1, 65535), default=200, show_default=True)
@click.option(
    "--rate",
    type=Count(),
    default="2000",
    show_default=True,
    help="Messages per second of the simulated market; about half of them make a record.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--listen", type=Address(), default="127.0.0.1:26497", show_default=True)
@click.option("--duration", type=float, help="Seconds; by default until a signal.")
@click.option(
    "--linger",
    type=float,
    default=0.3,
    show_default=True,
    help="Seconds after the end for clients to read the rest.",
)
@click.option("--die-with-parent", is_flag=True, help="End when the parent process does.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts at the end as JSON.")
def command(
    symbols: int,
    rate: float,
    seed: int,
    listen: tuple[str, int],
    duration: float | None,
    linger: float,
    die_with_parent: bool,
    as_json: bool,
) -> None:
    """Stream trades, quotes and states as JSON over WebSocket, as mappings/alpaca.toml reads it."""
    if die_with_parent:
        child.die_with_parent(os.getppid())
    settings = VendorSettings(symbols=symbols, rate=rate, seed=seed, listen=listen)
    speak(
        Vendor(settings), duration, linger, as_json,
        symbols=symbols, rate=rate, listen=shown(listen),
    )  # fmt: skip
