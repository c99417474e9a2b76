"""`ticker bench scaling`: cost per delivery while one thing grows."""

from __future__ import annotations

from typing import Any

import click

from ticker.bench.swarm.commands import ENCODINGS
from ticker.cli.bench.options import Output, numbers_of, output_options

OVER = ("clients", "symbols", "hot", "per-client", "ticks", "workers")


@click.command("scaling")
@click.option(
    "--over",
    type=click.Choice(OVER),
    required=True,
    help="The axis: clients of one worker, symbols of the feed, subscribers of one symbol, "
    "symbols per client, trades per symbol, or gateway workers.",
)
@click.option("--points", help="Points of the axis, like 100,500,2000.  [default: by the axis]")
@click.option(
    "--duration",
    type=float,
    default=2.0,
    show_default=True,
    help="Seconds of the gateway, and of the loop, at each point.",
)
@click.option("--clients", type=int, help="Clients at each point.  [default: by the axis]")
@click.option("--symbols", type=int, help="Symbols of the feed at each point.")
@click.option("--symbols-per-client", "per_client", type=int, help="Symbols of a client.")
@click.option("--flush-interval", type=float, help="Flush interval; seconds.")
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Encoding of the clients.")
@output_options
def command(output: Output, over: str, points: str | None, duration: float, **options: Any) -> None:
    """CPU per delivery and per client flush while one thing grows, next to a C loop of send.

    The loop has the same number of sockets, sends as many bytes on each, and takes turns with the
    gateway worker on its core. Several gateway workers share all cores with the clients, so only
    their CPU per delivery is meaningful, not their throughput.
    """
    from ticker.bench import scaling as bench

    changes = {name: value for name, value in options.items() if value is not None}
    wanted = numbers_of("--points", points, int) if points else []
    parameters = {"over": over, "points": wanted, "duration": duration, **changes}
    output.run("scaling", parameters, lambda: bench.run(over, wanted, duration, **changes))
