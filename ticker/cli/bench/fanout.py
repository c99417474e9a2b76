"""`ticker bench fanout`: CPU of a client flush, next to a C loop of send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ticker.cli.bench.options import DURATION, finish, load_of, load_options


@click.command("fanout")
@load_options(2000)
@DURATION
@click.option(
    "--rates",
    is_flag=True,
    help="No C loop: clients at different max_rates, next to as many deliveries at one rate.",
)
def command(path: Path | None, duration: float, rates: bool, **options: Any) -> None:
    """CPU per client flush of a gateway worker, next to a C loop of send.

    Over a growing number of clients, symbols, subscribers or workers: `ticker bench scaling`.
    """
    from ticker.bench import fanout as bench
    from ticker.bench import rates as different

    load = load_of(options)
    parameters = {**vars(load), "duration": duration}
    if rates:
        finish("rates", parameters, different.run(load, duration), path)
    else:
        finish("fanout", parameters, bench.run(load, duration), path)
