"""`ticker bench latency`: from a trade to its receipt."""

from __future__ import annotations

from typing import Any

import click

from ticker.cli.bench.aimed import aimed, url_options
from ticker.cli.bench.options import (
    DURATION,
    Output,
    load_of,
    load_options,
    numbers_of,
    output_options,
)

SHARES = click.FloatRange(0.01, 0.95)


@click.command("latency")
@load_options(2000)
@DURATION
@url_options
@click.option(
    "--share",
    type=SHARES,
    help="Share of capacity. A run of --clients measures the cost; then enough clients are added.",
)
@click.option("--sweep-share", help="Several shares, each a run: 0.1,0.3,0.5,0.8.")
@output_options
def command(
    output: Output, duration: float, share: float | None, sweep_share: str | None, **options: Any
) -> None:
    """From a trade's own time to its update's receipt, on one clock.

    A tenth of capacity, each trade by itself: --share 0.1 --symbols-per-client 1 --ticks 0.5. Four
    fifths of capacity, conflated: --share 0.8. A chart of percentiles over load: --sweep-share
    0.1,0.3,0.5,0.8 --plot FILE.svg. A running server: --url.
    """
    if options["url"] and (share is not None or sweep_share):
        raise click.UsageError(
            "--share does not go with --url: it measures the capacity of its own server"
        )
    if aimed(output, options, duration):
        return
    from ticker.bench import latency as bench

    load = load_of(options)
    parameters = {**vars(load), "duration": duration}
    if sweep_share:
        if share is not None:
            raise click.UsageError("--share and --sweep-share do not go together: give one of them")
        shares = numbers_of("--sweep-share", sweep_share, float)
        for each in shares:
            SHARES.convert(each, None, None)
        parameters["share"] = shares
        output.run("latency", parameters, lambda: bench.sweep(load, duration, shares))
    elif share is not None:
        parameters["share"] = share
        output.run("latency", parameters, lambda: bench.at(load, duration, share))
    else:
        parameters["share"] = None
        output.run("latency", parameters, lambda: bench.run(load, duration))
