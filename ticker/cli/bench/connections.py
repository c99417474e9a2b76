"""`ticker bench connections`: memory of a client, or a crowd."""

from __future__ import annotations

from typing import Any

import click

from ticker.cli.bench.aimed import aimed, url_options
from ticker.cli.bench.options import Output, load_of, load_options, output_options


@click.command("connections")
@load_options(15_000)
@click.option(
    "--gateways",
    type=click.IntRange(1),
    help="Workers on one port.  [default: one for each 15,000 clients]",
)
@click.option(
    "--duration",
    type=float,
    default=300.0,
    show_default=True,
    help="Seconds of prices, with several gateways or --url.",
)
@url_options
@output_options
def command(output: Output, gateways: int | None, duration: float, **options: Any) -> None:
    """Gateway memory per idle, subscribed client; a crowd, from 15,001 clients on.

    A crowd is spread over several gateway workers, which share all cores with the clients'
    processes. All clients connect and subscribe, and prices come for --duration. The report counts
    the clients that were dropped, lagged, or ended without the newest price. 60,000 clients take 4
    workers and 4 client processes, each with up to 20,000 descriptors, and 1.5 GB of memory:
    --clients 60000 --ticks 0.01. With --url the clients connect to a running server, whose memory
    cannot be measured.
    """
    if options["url"] and gateways is not None:
        raise click.UsageError("--gateways does not go with --url: leave one of them out")
    if aimed(output, options, duration):
        return
    from ticker.bench import connections as bench
    from ticker.bench import crowd
    from ticker.bench.rig.rig import MOST_PER_PROCESS

    needed = gateways or -(-options["clients"] // MOST_PER_PROCESS)
    load = load_of({**options, "gateways": needed})
    if needed == 1:
        output.run("connections", vars(load), lambda: bench.run(load))
        return
    parameters = {**vars(load), "duration": duration}
    output.run("crowd", parameters, lambda: crowd.run(load, duration))
