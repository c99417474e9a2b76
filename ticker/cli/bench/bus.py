"""`ticker bench bus`: the bus between boxes at a given pace."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("bus")
@click.option("--events", type=int, default=200_000, show_default=True, help="Trades per second.")
@click.option("--symbols", type=int, default=5000, show_default=True)
@click.option("--duration", type=float, default=15.0, show_default=True, help="Seconds.")
@click.option("--log", is_flag=True, help="The nats-server stores all, and it is read again.")
@click.option("--server", "url", metavar="URL", help="A server that runs: nats:// or kafka://.")
@click.option(
    "--boxes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Gateway boxes that take all of it.",
)
@output_options
def command(
    events: int,
    symbols: int,
    duration: float,
    log: bool,
    url: str | None,
    boxes: int,
    output: Output,
) -> None:
    """The shares of a core of the relay, a nats-server and a bridge, and what they lose."""
    from ticker.bench import bus as bench

    parameters = {
        "events": events,
        "symbols": symbols,
        "duration": duration,
        "log": log,
        "server": url,
        "boxes": boxes,
    }
    output.run(
        "bus",
        parameters,
        lambda: bench.run(events, symbols, duration, log=log, url=url, boxes=boxes),
    )
