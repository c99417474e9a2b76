"""`ticker bench shm`: shared memory under stress."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("shm")
@click.option("--reads", type=int, default=100_000_000, show_default=True, help="Reads of rows.")
@click.option(
    "--laps", type=int, default=100_000, show_default=True, help="Laps of a ring of 1,024 records."
)
@click.option(
    "--kills",
    type=int,
    default=200,
    show_default=True,
    help="SIGKILLs inside a write, and as many at a random moment.",
)
@click.option(
    "--rounds", type=int, default=100_000, show_default=True, help="Rounds of the doorbell."
)
@output_options
def command(reads: int, laps: int, kills: int, rounds: int, output: Output) -> None:
    """Shared memory under stress, and the CPU time of its calls (ns)."""
    from ticker.bench.shm import shm as bench

    parameters = {"reads": reads, "laps": laps, "kills": kills, "rounds": rounds}
    output.run("shm", parameters, lambda: bench.run(reads, laps, kills, rounds))
