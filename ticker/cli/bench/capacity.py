"""`ticker bench capacity`: the highest load within the bounds."""

from __future__ import annotations

from typing import Any

import click

from ticker.cli.bench.options import Output, Time, load_of, load_options, output_options


@click.command("capacity")
@load_options(2000)
@click.option(
    "--vary",
    type=click.Choice(["clients", "rate"]),
    default="clients",
    show_default=True,
    help="The load to raise, from --clients or --ticks on; the other stays as it is.",
)
@click.option(
    "--bound", type=Time(), default="250ms", show_default=True, help="Upper bound of p99."
)
@click.option("--step", type=float, default=1.5, show_default=True, help="Seconds of a step.")
@click.option(
    "--confirm",
    type=float,
    default=5.0,
    show_default=True,
    help="Seconds of the last run, which confirms the load that was found.",
)
@output_options
def command(
    output: Output, vary: str, bound: float, step: float, confirm: float, **options: Any
) -> None:
    """The highest load at which p99 stays under --bound and nothing is lost.

    The load of one gateway worker on a core of its own is found by bisection, in at most eight
    short steps. A longer run then confirms it. If the generator was the bottleneck in a step, the
    report says "at least". Nothing is lost when no client is lost, no trade is skipped by a lap or
    a gap, and each client has the newest prices at the end.
    """
    from ticker.bench import capacity as bench

    load = load_of(options)
    parameters = {**vars(load), "vary": vary, "bound_us": bound, "step": step, "confirm": confirm}
    output.run("capacity", parameters, lambda: bench.run(load, vary, bound, step, confirm))
