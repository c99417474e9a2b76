"""`ticker bench capacity`: the highest load that holds."""

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
    help="What grows from --clients or --ticks on; the other stays.",
)
@click.option(
    "--bound", type=Time(), default="250ms", show_default=True, help="What p99 stays under."
)
@click.option("--step", type=float, default=1.5, show_default=True, help="Seconds of a step.")
@click.option(
    "--confirm",
    type=float,
    default=5.0,
    show_default=True,
    help="Seconds for which what was found must hold.",
)
@output_options
def command(
    output: Output, vary: str, bound: float, step: float, confirm: float, **options: Any
) -> None:
    """The highest load at which p99 stays under --bound and nothing is lost.

    By bisection, in at most eight short steps, of one gateway worker on a core of its own; what
    is found is held once more for longer. A step in which the generator was the bottleneck makes
    it "at least". Nothing is lost: no client, no trade by a lap or a gap, and each has the newest
    prices at the end.
    """
    from ticker.bench import capacity as bench

    load = load_of(options)
    parameters = {**vars(load), "vary": vary, "bound_us": bound, "step": step, "confirm": confirm}
    output.run("capacity", parameters, lambda: bench.run(load, vary, bound, step, confirm))
