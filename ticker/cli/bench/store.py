"""`ticker bench store`: the store worker beside a feed of a given pace."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("store")
@click.option("--trades", type=int, default=50_000, show_default=True, help="Per second.")
@click.option("--quotes", type=int, default=0, show_default=True, help="Per second.")
@click.option("--symbols", type=int, default=50_000, show_default=True)
@click.option("--duration", type=float, default=60.0, show_default=True, help="Seconds.")
@output_options
def command(trades: int, quotes: int, symbols: int, duration: float, output: Output) -> None:
    """The store worker's share of a core, and the trades that its bars lack."""
    from ticker.bench.disk import store as bench

    parameters = {"trades": trades, "quotes": quotes, "symbols": symbols, "duration": duration}
    output.run("store", parameters, lambda: bench.run(trades, quotes, symbols, duration))
