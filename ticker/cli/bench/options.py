"""Options that several benches share, and how each begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ticker.bench.report import progress
from ticker.bench.report.report import report, table, write
from ticker.bench.swarm.commands import ENCODINGS

if TYPE_CHECKING:
    from ticker.bench.report.bounds import Bound
    from ticker.bench.rig.rig import Load

Command = TypeVar("Command", bound=Callable[..., Any])
Results = dict[str, Any]

DURATION = click.option("--duration", type=float, default=5.0, show_default=True, help="Seconds.")


@dataclass(frozen=True)
class Output:
    """Where a report goes, and what it must not say."""

    json: Path | None
    plot: Path | None
    fail_if: tuple[str, ...]

    def run(self, bench: str, parameters: dict[str, Any], measure: Callable[[], Results]) -> None:
        """Checks the options, measures, shows and writes the report; ends with 1 when it is
        void, breaks a bound, or says itself what it missed.

        Raises:
            UsageError: a bound that this bench cannot break, or a chart that it has not.
        """
        bounds = self._bounds(bench)
        self._check_plot(bench)
        with progress.on_terminal():
            results = measure()
        self._finish(report(bench, parameters, results), bounds)

    def _bounds(self, bench: str) -> list[Bound]:
        from ticker.bench.report.bounds import parse
        from ticker.bench.report.figures import FIGURES

        try:
            return [parse(each, FIGURES[bench]) for each in self.fail_if]
        except ValueError as error:
            raise click.UsageError(f"--fail-if {error}") from None

    def _check_plot(self, bench: str) -> None:
        if self.plot:
            from ticker.bench.report.charts import CHARTS

            if bench not in CHARTS:
                having = ", ".join(CHARTS)
                raise click.UsageError(f"--plot: {bench} has nothing to plot; {having} have")

    def _finish(self, found: dict[str, Any], bounds: list[Bound]) -> None:
        from ticker.bench.report.bounds import broken

        failed = broken(bounds, found)
        if bounds:
            failing = {each.bound.text: each.measured for each in failed}
            found["bounds"] = {each.text: failing.get(each.text) for each in bounds}
        click.echo(table(found))
        if self.json:
            write(self.json, found)
        if self.plot:
            self._draw(self.plot, found)
        for each in failed:
            click.echo(f"FAILED: {each}", err=True)
        if failed or found.get("void") or found.get("missed"):
            raise SystemExit(1)

    def _draw(self, path: Path, found: dict[str, Any]) -> None:
        from ticker.bench.report.charts import draw

        try:
            drawn = draw(found)
        except ValueError as error:
            click.echo(f"--plot: {error}", err=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn, encoding="utf-8")


def output_options(function: Callable[..., None]) -> Callable[..., None]:
    """--json, --plot and --fail-if, which the command gets as one `output`."""

    @click.option(
        "--json", "json_path", type=click.Path(path_type=Path), help="Write the whole report here."
    )
    @click.option(
        "--plot", type=click.Path(path_type=Path), help="Draw it here, as SVG, if it is plottable."
    )
    @click.option(
        "--fail-if",
        multiple=True,
        metavar="BOUND",
        help="End with 1 if it comes true, like 'p99>50ms' or 'clients_lost>0'; any figure of the "
        "report by its name, or p50 to p99.99 and max; ns, us, ms, s, kB, MB or %. Repeatable.",
    )
    @wraps(function)
    def command(
        json_path: Path | None, plot: Path | None, fail_if: tuple[str, ...], **options: Any
    ) -> None:
        function(output=Output(json_path, plot, fail_if), **options)

    return command


def load_options(clients: int) -> Callable[[Command], Command]:
    """The options of every bench that has clients: the fields of rig.Load."""
    options = (
        click.option("--clients", type=int, default=clients, show_default=True),
        click.option("--symbols", type=int, default=1000, show_default=True),
        click.option("--symbols-per-client", "per_client", type=int, default=5, show_default=True),
        click.option(
            "--popularity",
            default="uniform",
            show_default=True,
            help="Of symbols among clients: uniform; zipf:S, the k-th has k ** -S, like zipf:1.1; "
            "hot:N, the first symbol has N subscribers and the others none; hot: all clients.",
        ),
        click.option(
            "--flush-interval",
            "--interval",
            "flush_interval",
            type=click.FloatRange(0.001, 60),
            default=0.1,
            show_default=True,
            help="Of the gateway; seconds.",
        ),
        click.option(
            "--rate",
            type=click.FloatRange(0, min_open=True),
            help="Trades per second of a symbol.  [default: 10]",
        ),
        click.option(
            "--ticks",
            type=click.FloatRange(0, min_open=True),
            help="The same as trades per symbol and flush interval.  [default: 1]",
        ),
        click.option(
            "--trades-by",
            type=click.Choice(["even", "popularity"]),
            default="even",
            show_default=True,
            help="All symbols trade alike; or a popular one more often, --rate is their mean.",
        ),
        click.option(
            "--warm-up",
            type=click.FloatRange(0),
            default=1.0,
            show_default=True,
            help="Seconds of trades before anything is measured.",
        ),
        click.option(
            "--encoding",
            type=click.Choice(ENCODINGS),
            default="plain",
            show_default=True,
            help="What clients speak: the plain dialect, or ticker.v1 in this encoding.",
        ),
        click.option(
            "--channel",
            type=click.Choice(["price", "quote", "trades"]),
            default="price",
            show_default=True,
            help="What they subscribe to.",
        ),
    )

    def apply(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


def load_of(options: dict[str, Any]) -> Load:
    """The load that these options ask for. Raises click.UsageError when it cannot be."""
    if options["channel"] == "trades" and options["encoding"] == "plain":
        raise click.UsageError("--channel trades: the plain dialect has none; give an --encoding")
    from ticker.bench.rig.rig import Load
    from ticker.bench.swarm.popularity import parse

    try:
        kind, _ = parse(options["popularity"])
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None
    if options["trades_by"] == "popularity" and kind != "zipf":
        raise click.UsageError("--trades-by popularity: goes with --popularity zipf")
    if not 1 <= options["per_client"] <= options["symbols"]:
        raise click.UsageError(
            f"--symbols-per-client {options['per_client']}: from 1 to --symbols "
            f"{options['symbols']}"
        )
    rate, ticks = options.pop("rate"), options.pop("ticks")
    if rate is not None and ticks is not None:
        raise click.UsageError("--rate or --ticks, not both: they say the same")
    if rate is not None:
        ticks = rate * options["flush_interval"]
    return Load(**options, ticks=1.0 if ticks is None else ticks)


class Time(click.ParamType[float]):
    """A time with its unit, 250ms; in microseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from ticker.bench.report.bounds import microseconds

        try:
            return microseconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def numbers_of(option: str, text: str, kind: Callable[[str], float]) -> list[Any]:
    """The numbers of a list like 100,500,2000.

    Raises:
        UsageError: one of them is none, or not above 0.
    """
    try:
        numbers = [kind(each) for each in text.split(",")]
    except ValueError:
        raise click.UsageError(f"{option} {text}: numbers with commas between them") from None
    if not all(number > 0 for number in numbers):
        raise click.UsageError(f"{option} {text}: all must be above 0")
    return numbers
