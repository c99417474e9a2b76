"""`ticker bench recorder`: the recorder beside a feed of a given pace."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("recorder")
@click.option("--events", type=int, default=200_000, show_default=True, help="Trades per second.")
@click.option("--symbols", type=int, default=5000, show_default=True)
@click.option("--duration", type=float, default=20.0, show_default=True, help="Seconds.")
@output_options
def command(events: int, symbols: int, duration: float, output: Output) -> None:
    """The recorder's share of a core, and the records that it misses."""
    from ticker.bench.disk import recorder as bench

    parameters = {"events": events, "symbols": symbols, "duration": duration}
    output.run("recorder", parameters, lambda: bench.run(events, symbols, duration))
