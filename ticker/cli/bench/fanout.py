"""`ticker bench fanout`: CPU of a client flush, next to a C loop of send."""

from __future__ import annotations

from typing import Any

import click

from ticker.cli.bench.aimed import aimed, url_options
from ticker.cli.bench.options import DURATION, Output, load_of, load_options, output_options


@click.command("fanout")
@load_options(2000)
@DURATION
@url_options
@click.option(
    "--rates",
    is_flag=True,
    help="Compare clients at different max_rates with as many deliveries at one rate; no C loop.",
)
@output_options
def command(output: Output, duration: float, rates: bool, **options: Any) -> None:
    """CPU per client flush of a gateway worker, next to a C loop of send.

    Over a growing number of clients, symbols, subscribers or workers: `ticker bench scaling`.
    With --url, the bench reports the deliveries of a running server, whose CPU cannot be measured.
    """
    if options["url"] and rates:
        raise click.UsageError(
            "--rates does not go with --url: it measures the CPU of its own gateway"
        )
    if aimed(output, options, duration):
        return
    from ticker.bench import fanout as bench
    from ticker.bench import rates as different

    load = load_of(options)
    parameters = {**vars(load), "duration": duration}
    if rates:
        output.run("rates", parameters, lambda: different.run(load, duration))
    else:
        output.run("fanout", parameters, lambda: bench.run(load, duration))
