"""Options shared by several benches, and the common start and end of a bench."""

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
    """The files of a report, and the bounds that it must not break."""

    json: Path | None
    plot: Path | None
    fail_if: tuple[str, ...]

    def run(self, bench: str, parameters: dict[str, Any], measure: Callable[[], Results]) -> None:
        """Check the options, measure, then show and write the report. Exits with 1 when the report
        is void, breaks a bound, or has `missed` entries.

        Raises:
            UsageError: the bench has no such figure for a bound, or no chart.
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
                raise click.UsageError(f"--plot: {bench} has no chart; these have: {having}")

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
    """The options --json, --plot and --fail-if; the command gets them as one `output`."""

    @click.option(
        "--json", "json_path", type=click.Path(path_type=Path), help="Write the whole report here."
    )
    @click.option(
        "--plot", type=click.Path(path_type=Path), help="Write a chart of the report here, as SVG."
    )
    @click.option(
        "--fail-if",
        multiple=True,
        metavar="BOUND",
        help="Exit with 1 if this is true, like 'p99>50ms' or 'clients_lost>0'. Any figure of the "
        "report, or p50 to p99.99 and max; in ns, us, ms, s, kB, MB or %. Repeatable.",
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
            help="Choice of symbols by clients. uniform; zipf:S, like zipf:1.1: the k-th symbol "
            "has the weight k ** -S; hot:N: N clients have the first symbol; hot: all have it.",
        ),
        click.option(
            "--flush-interval",
            "--interval",
            "flush_interval",
            type=click.FloatRange(0.001, 60),
            default=0.1,
            show_default=True,
            help="Flush interval of the gateway; seconds.",
        ),
        click.option(
            "--pace",
            type=click.Choice(["fixed", "adaptive"]),
            default="fixed",
            show_default=True,
            help="Of the gateway: fixed flushes once in each interval, adaptive follows its load.",
        ),
        click.option(
            "--rate",
            type=click.FloatRange(0, min_open=True),
            help="Trades of a symbol per second.  [default: 10]",
        ),
        click.option(
            "--ticks",
            type=click.FloatRange(0, min_open=True),
            help="Instead of --rate: trades of a symbol per flush interval.  [default: 1]",
        ),
        click.option(
            "--trades-by",
            type=click.Choice(["even", "popularity"]),
            default="even",
            show_default=True,
            help="even: all symbols trade alike; popularity: popular symbols trade more often.",
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
            help="Of the clients: the plain dialect, or ticker.v1 in this encoding.",
        ),
        click.option(
            "--channel",
            type=click.Choice(["price", "quote", "trades", "depth"]),
            default="price",
            show_default=True,
            help="Channel that clients subscribe to; depth is of 10 levels.",
        ),
        click.option(
            "--sender",
            type=click.Choice(["auto", "send", "io_uring"]),
            default="auto",
            show_default=True,
            help="How the gateway sends to its clients.",
        ),
        click.option(
            "--compress",
            is_flag=True,
            help="The clients ask for permessage-deflate, and the gateway grants it.",
        ),
    )

    def apply(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


def load_of(options: dict[str, Any]) -> Load:
    """The load of these options. Raises click.UsageError for options that contradict."""
    if options["channel"] == "trades" and options["encoding"] == "plain":
        raise click.UsageError(
            "--channel trades: the plain dialect has no trades; give another --encoding"
        )
    if options["channel"] == "depth" and options["encoding"] not in ("json", "msgpack"):
        raise click.UsageError("--channel depth: give --encoding json or msgpack")
    from ticker.bench.rig.rig import Load
    from ticker.bench.swarm.popularity import parse

    try:
        kind, _ = parse(options["popularity"])
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None
    if options["trades_by"] == "popularity" and kind != "zipf":
        raise click.UsageError("--trades-by popularity needs --popularity zipf:S")
    if not 1 <= options["per_client"] <= options["symbols"]:
        raise click.UsageError(
            f"--symbols-per-client {options['per_client']}: give 1 to --symbols, which is "
            f"{options['symbols']}"
        )
    rate, ticks = options.pop("rate"), options.pop("ticks")
    if rate is not None and ticks is not None:
        raise click.UsageError("--rate and --ticks mean the same: give one of them")
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
        UsageError: an item is no number, or not above 0.
    """
    try:
        numbers = [kind(each) for each in text.split(",")]
    except ValueError:
        raise click.UsageError(f"{option} {text}: give numbers with commas between them") from None
    if not all(number > 0 for number in numbers):
        raise click.UsageError(f"{option} {text}: give numbers above 0")
    return numbers
