"""`ticker bench all`: the main benches of this machine, in one report."""

from __future__ import annotations

from typing import Any

import click

from ticker.cli.bench.options import Output, Time, load_of, load_options, output_options


@click.command("all")
@load_options(2000)
@click.option(
    "--duration", type=float, default=3.0, show_default=True, help="Seconds of each bench."
)
@click.option(
    "--bound",
    type=Time(),
    default="250ms",
    show_default=True,
    help="Upper bound of p99, for capacity.",
)
@output_options
def command(output: Output, duration: float, bound: float, **options: Any) -> None:
    """Short runs of ingest, fanout, latency, connections and capacity, in under three minutes.

    They make one report and one table. --fail-if takes the bench before the figure:
    'latency.p99>150ms', 'capacity.clients<5000', 'connections.kb_per_idle_client>2kB'.
    """
    from ticker.bench import every

    load = load_of(options)
    parameters = {**vars(load), "duration": duration, "bound_us": bound}
    output.run("all", parameters, lambda: every.run(load, duration, bound))
