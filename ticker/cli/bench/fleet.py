"""`ticker bench fleet`: the boxes that so many clients need."""

from __future__ import annotations

from pathlib import Path

import click

from ticker.cli.bench.options import Output, output_options

UNITS = {"": 1.0, "k": 1e3, "m": 1e6}


class Amount(click.ParamType[float]):
    """A number that may end with k or M: 5M, 200k, 1e6."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value).strip().lower()
        unit = text[-1:] if text[-1:] in ("k", "m") else ""
        try:
            found = float(text.removesuffix(unit)) * UNITS[unit]
        except ValueError:
            found = 0.0
        if not 1 <= found <= 1e12:
            self.fail(f"{value!r} is no number of 1 or more, like 5M, 200k or 10000", param, ctx)
        return found


AMOUNT = Amount()


@click.command("fleet")
@click.option("--clients", type=AMOUNT, default="5M", show_default=True)
@click.option("--ticks", type=AMOUNT, default="1M", show_default=True, help="Trades per second.")
@click.option("--symbols", type=AMOUNT, default="10000", show_default=True)
@click.option("--symbols-per-client", "per_client", type=AMOUNT, default="5", show_default=True)
@click.option(
    "--flush-interval",
    "interval",
    type=click.FloatRange(0.001, 60),
    default=0.1,
    show_default=True,
    help="Of the gateways; seconds.",
)
@click.option(
    "--spare",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the gateway boxes that may be away.",
)
@click.option("--days", type=float, default=7.0, show_default=True, help="Of the log.")
@click.option("--hours", type=float, default=16.0, show_default=True, help="Of trading in a day.")
@click.option("--cores", type=click.IntRange(2, 1024), default=32, show_default=True, help="A box.")
@click.option("--memory", "memory_gb", type=float, default=128.0, show_default=True, help="GB.")
@click.option("--gbit", type=float, default=25.0, show_default=True, help="A second, its network.")
@click.option(
    "--share",
    type=click.FloatRange(0.05, 1),
    default=0.6,
    show_default=True,
    help="Of cores, memory and network that is used at this load.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Costs from a report of this bench, instead of measuring for some 20 s.",
)
@output_options
def command(
    output: Output, report: Path | None, clients: float, ticks: float, symbols: float,
    per_client: float, interval: float, spare: float, days: float, hours: float, cores: int,
    memory_gb: float, gbit: float, share: float,
) -> None:  # fmt: skip
    """The boxes, cores, network and log of a fleet, by what things cost on this machine."""
    from ticker.bench.fleet import measure
    from ticker.bench.fleet.plan import Box, Fleet

    fleet = Fleet(int(clients), ticks, int(symbols), int(per_client), interval, spare, days, hours)
    box = Box(cores, memory_gb, gbit, share)
    parameters = {**vars(fleet), **vars(box), "report": report and report.name}
    output.run("fleet", parameters, lambda: measure.run(fleet, box, report))
