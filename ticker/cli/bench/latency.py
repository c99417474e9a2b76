"""`ticker bench latency`: from a trade to its receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ticker.cli.bench.options import DURATION, finish, load_of, load_options


@click.command("latency")
@load_options(2000)
@DURATION
@click.option(
    "--share",
    type=click.FloatRange(0.01, 0.95),
    help="Of capacity: --clients tell what a delivery costs, then as many are there as make it up.",
)
def command(path: Path | None, duration: float, share: float | None, **options: Any) -> None:
    """From a trade's own time to its update's receipt, on one clock.

    At a tenth of capacity, each trade by itself: --share 0.1 --symbols-per-client 1 --ticks 0.5.
    At four fifths, conflated: --share 0.8.
    """
    from ticker.bench import latency as bench

    load = load_of(options)
    parameters = {**vars(load), "duration": duration, "share": share}
    found = bench.run(load, duration) if share is None else bench.at(load, duration, share)
    finish("latency", parameters, found, path)
