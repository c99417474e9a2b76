"""`ticker bench start`: from the start of a server to the last prices of many symbols."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("start")
@click.option("--symbols", type=int, default=50_000, show_default=True)
@click.option("--starts", type=click.IntRange(1), default=5, show_default=True)
@output_options
def command(symbols: int, starts: int, output: Output) -> None:
    """From the start of a server until REST has the last prices that its store kept."""
    from ticker.bench.disk import start as bench

    parameters = {"symbols": symbols, "starts": starts}
    output.run("start", parameters, lambda: bench.run(symbols, starts))
