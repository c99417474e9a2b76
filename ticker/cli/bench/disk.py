"""`ticker bench recorder`, `store` and `start`: what is written to disks."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("recorder")
@click.option("--events", type=int, default=200_000, show_default=True, help="Trades per second.")
@click.option("--symbols", type=int, default=5000, show_default=True)
@click.option("--duration", type=float, default=20.0, show_default=True, help="Seconds.")
@output_options
def recorder(events: int, symbols: int, duration: float, output: Output) -> None:
    """The recorder's share of a core, and the records that it misses."""
    from ticker.bench.disk import recorder as bench

    parameters = {"events": events, "symbols": symbols, "duration": duration}
    output.run("recorder", parameters, lambda: bench.run(events, symbols, duration))


@click.command("store")
@click.option("--trades", type=int, default=50_000, show_default=True, help="Per second.")
@click.option("--quotes", type=int, default=0, show_default=True, help="Per second.")
@click.option("--symbols", type=int, default=50_000, show_default=True)
@click.option("--duration", type=float, default=60.0, show_default=True, help="Seconds.")
@output_options
def store(trades: int, quotes: int, symbols: int, duration: float, output: Output) -> None:
    """The store worker's share of a core, and the trades that its bars lack."""
    from ticker.bench.disk import store as bench

    parameters = {"trades": trades, "quotes": quotes, "symbols": symbols, "duration": duration}
    output.run("store", parameters, lambda: bench.run(trades, quotes, symbols, duration))


@click.command("start")
@click.option("--symbols", type=int, default=50_000, show_default=True)
@click.option("--starts", type=click.IntRange(1), default=5, show_default=True)
@output_options
def start(symbols: int, starts: int, output: Output) -> None:
    """From the start of a server until REST has the last prices that its store kept."""
    from ticker.bench.disk import start as bench

    parameters = {"symbols": symbols, "starts": starts}
    output.run("start", parameters, lambda: bench.run(symbols, starts))
