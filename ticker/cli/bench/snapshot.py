"""`ticker bench snapshot`: from a subscribe to its snapshots."""

from __future__ import annotations

from typing import Any

import click

from ticker.cli.bench.options import DURATION, Output, load_of, load_options, output_options


@click.command("snapshot")
@load_options(1000)
@DURATION
@click.option(
    "--probes",
    type=int,
    default=100,
    show_default=True,
    help="Clients that subscribe again and again.",
)
@click.option(
    "--probe-rate",
    type=float,
    default=400.0,
    show_default=True,
    help="Subscribes per second of all probes together.",
)
@output_options
def command(output: Output, duration: float, probe_rate: float, **options: Any) -> None:
    """From sending a subscribe to receiving its snapshots, with the feed running."""
    from ticker.bench import latency as bench

    load = load_of(options)
    parameters = {**vars(load), "duration": duration, "probe_rate": probe_rate}
    output.run("snapshot", parameters, lambda: bench.snapshots(load, duration, probe_rate))
