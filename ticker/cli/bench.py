"""`ticker bench`: how fast is this build on this machine?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ticker.bench.commands import ENCODINGS
from ticker.bench.report import report, table, write

if TYPE_CHECKING:
    from ticker.bench.rig import Load

Command = TypeVar("Command", bound=Callable[..., Any])

JSON = click.option(
    "--json", "path", type=click.Path(path_type=Path), help="Write the whole report here."
)
DURATION = click.option("--duration", type=float, default=5.0, show_default=True, help="Seconds.")


def _load(clients: int) -> Callable[[Command], Command]:
    """The options of every bench that has clients: the fields of rig.Load."""
    options = (
        click.option("--clients", type=int, default=clients, show_default=True),
        click.option("--symbols", type=int, default=1000, show_default=True),
        click.option("--symbols-per-client", "per_client", type=int, default=5, show_default=True),
        click.option(
            "--flush-interval", type=float, default=0.1, show_default=True, help="Seconds."
        ),
        click.option(
            "--ticks",
            type=float,
            default=1.0,
            show_default=True,
            help="Trades per symbol and flush interval.",
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
        JSON,
    )

    def apply(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


def _load_of(options: dict[str, Any]) -> Load:
    if options["channel"] == "trades" and options["encoding"] == "plain":
        raise click.UsageError("--channel trades: the plain dialect has none; give an --encoding")
    from ticker.bench.rig import Load

    return Load(**options)


def _finish(
    bench: str, parameters: dict[str, Any], results: dict[str, Any], path: Path | None
) -> None:
    found = report(bench, parameters, results)
    click.echo(table(found))
    if path:
        write(path, found)
    if found.get("void"):
        raise SystemExit(1)


@click.group()
def command() -> None:
    """Measure this build on this machine; needs two cores and a source tree."""


@command.command()
@_load(2000)
@DURATION
@click.option("--sweep", help="Numbers of clients, like 100,500,2000,5000,15000.")
@click.option(
    "--rates",
    is_flag=True,
    help="No C loop: clients at different max_rates, next to as many deliveries at one rate.",
)
def fanout(
    path: Path | None, duration: float, sweep: str | None, rates: bool, **options: Any
) -> None:
    """CPU per client flush of a gateway worker, next to a C loop of send."""
    from ticker.bench import fanout as bench
    from ticker.bench import rates as different

    load = _load_of(options)
    parameters = {**vars(load), "duration": duration}
    if rates:
        if sweep:
            raise click.UsageError("--rates or --sweep, not both")
        _finish("rates", parameters, different.run(load, duration), path)
        return
    if sweep:
        counts = [int(each) for each in sweep.split(",")]
        found = bench.sweep(load, counts, duration)
        parameters["clients"] = counts
    else:
        found = bench.run(load, duration)
    _finish("fanout", parameters, found, path)


@command.command()
@_load(2000)
@DURATION
@click.option(
    "--share",
    type=click.FloatRange(0.01, 0.95),
    help="Of capacity: --clients tell what a delivery costs, then as many are there as make it up.",
)
def latency(path: Path | None, duration: float, share: float | None, **options: Any) -> None:
    """From a trade's own time to its update's receipt, on one clock.

    At a tenth of capacity, each trade by itself: --share 0.1 --symbols-per-client 1 --ticks 0.5.
    At four fifths, conflated: --share 0.8.
    """
    from ticker.bench import latency as bench

    load = _load_of(options)
    parameters = {**vars(load), "duration": duration, "share": share}
    found = bench.run(load, duration) if share is None else bench.at(load, duration, share)
    _finish("latency", parameters, found, path)


@command.command()
@_load(1000)
@DURATION
@click.option(
    "--probes",
    type=int,
    default=100,
    show_default=True,
    help="Clients that subscribe again and again.",
)
@click.option(
    "--rate",
    type=float,
    default=400.0,
    show_default=True,
    help="Their subscribes per second, together.",
)
def snapshot(path: Path | None, duration: float, rate: float, **options: Any) -> None:
    """From sending a subscribe to receiving its snapshots, with the feed running."""
    from ticker.bench import latency as bench

    load = _load_of(options)
    parameters = {**vars(load), "duration": duration, "rate": rate}
    _finish("snapshot", parameters, bench.snapshots(load, duration, rate), path)


@command.command()
@_load(15_000)
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
    help="Seconds of prices, with several gateways.",
)
def connections(path: Path | None, gateways: int | None, duration: float, **options: Any) -> None:
    """Gateway memory per idle, subscribed client; a crowd, from 15,001 clients on.

    A crowd is at several gateway workers, which share all cores with the clients' processes:
    all connect and subscribe, prices flow for --duration, and whoever was dropped, lagged or is
    without the newest price counts. 60,000 clients take 4 workers and 4 client processes, each
    with up to 20,000 descriptors, and 1.5 GB: --clients 60000 --ticks 0.01.
    """
    from ticker.bench import connections as bench
    from ticker.bench import crowd
    from ticker.bench.rig import MOST_PER_PROCESS

    needed = gateways or -(-options["clients"] // MOST_PER_PROCESS)
    load = _load_of({**options, "gateways": needed})
    if needed == 1:
        _finish("connections", vars(load), bench.run(load), path)
        return
    parameters = {**vars(load), "duration": duration}
    _finish("crowd", parameters, crowd.run(load, duration), path)


@command.command()
@click.option("--protocol", default="itch50", show_default=True, help="Format of the day.")
@click.option("--symbols", type=int, default=5000, show_default=True)
@click.option("--messages", type=int, help="Of the generated day; as many as its format is worth.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--repeat", type=int, default=3, show_default=True, help="Turns of each side.")
@click.option("--udp", is_flag=True, help="Live instead: simulate, UDP, serve.")
@click.option(
    "--rate",
    type=int,
    default=1_000_000,
    show_default=True,
    help="Messages per second, with --udp.",
)
@click.option(
    "--duration", type=float, default=30.0, show_default=True, help="Seconds, with --udp."
)
@JSON
def ingest(
    protocol: str,
    symbols: int,
    messages: int | None,
    seed: int,
    repeat: int,
    udp: bool,
    rate: int,
    duration: float,
    path: Path | None,
) -> None:
    """Messages per second through a feed worker, from a file or over UDP."""
    from ticker.bench import ingest as bench

    if udp:
        live = {"symbols": symbols, "rate": rate, "duration": duration, "seed": seed}
        _finish("ingest-udp", live, bench.udp(symbols, rate, duration, seed), path)
    else:
        if protocol not in bench.FORMATS:
            raise click.UsageError(f"--protocol {protocol}: one of {', '.join(bench.FORMATS)}")
        found = bench.replay(protocol, symbols, messages, seed, repeat)
        parameters = {
            "protocol": protocol,
            "symbols": symbols,
            "messages": messages,
            "seed": seed,
            "repeat": repeat,
        }
        _finish("ingest", parameters, found, path)


@command.command()
@click.option("--reads", type=int, default=100_000_000, show_default=True, help="Of rows.")
@click.option(
    "--laps", type=int, default=100_000, show_default=True, help="Of a ring of 1,024 records."
)
@click.option(
    "--kills",
    type=int,
    default=200,
    show_default=True,
    help="SIGKILLs inside a write, and as many at a random moment.",
)
@click.option("--rounds", type=int, default=100_000, show_default=True, help="Of the doorbell.")
@JSON
def shm(reads: int, laps: int, kills: int, rounds: int, path: Path | None) -> None:
    """Shared memory under stress, and what its calls cost (CPU ns)."""
    from ticker.bench import shm as bench

    parameters = {"reads": reads, "laps": laps, "kills": kills, "rounds": rounds}
    _finish("shm", parameters, bench.run(reads, laps, kills, rounds), path)
