"""`ticker bench`: how fast is this build on this machine?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ticker.bench.report import report, table, write

Command = TypeVar("Command", bound=Callable[..., Any])

JSON = click.option(
    "--json", "path", type=click.Path(path_type=Path), help="Write the whole report here."
)
DURATION = click.option("--duration", type=float, default=5.0, show_default=True, help="Seconds.")


def _load(clients: int) -> Callable[[Command], Command]:
    """The options of every bench that has clients."""
    options = (
        click.option("--clients", type=int, default=clients, show_default=True),
        click.option("--symbols", type=int, default=1000, show_default=True),
        click.option("--symbols-per-client", type=int, default=5, show_default=True),
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
        JSON,
    )

    def apply(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


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
def fanout(
    clients: int,
    symbols: int,
    symbols_per_client: int,
    flush_interval: float,
    ticks: float,
    path: Path | None,
    duration: float,
    sweep: str | None,
) -> None:
    """CPU per client flush of a gateway worker, next to a C loop of send."""
    from ticker.bench import fanout as bench
    from ticker.bench.rig import Load

    load = Load(clients, symbols, symbols_per_client, flush_interval, ticks)
    parameters = {**vars(load), "duration": duration}
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
def latency(
    clients: int,
    symbols: int,
    symbols_per_client: int,
    flush_interval: float,
    ticks: float,
    path: Path | None,
    duration: float,
) -> None:
    """From a trade's own time to its update's receipt."""
    from ticker.bench import latency as bench
    from ticker.bench.rig import Load

    load = Load(clients, symbols, symbols_per_client, flush_interval, ticks)
    parameters = {**vars(load), "duration": duration}
    _finish("latency", parameters, bench.run(load, duration), path)


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
def snapshot(
    clients: int,
    symbols: int,
    symbols_per_client: int,
    flush_interval: float,
    ticks: float,
    path: Path | None,
    duration: float,
    probes: int,
    rate: float,
) -> None:
    """From sending a subscribe to receiving its snapshots, with the feed running."""
    from ticker.bench import latency as bench
    from ticker.bench.rig import Load

    load = Load(clients, symbols, symbols_per_client, flush_interval, ticks, probes)
    parameters = {**vars(load), "duration": duration, "rate": rate}
    _finish("snapshot", parameters, bench.snapshots(load, duration, rate), path)


@command.command()
@_load(15_000)
def connections(
    clients: int,
    symbols: int,
    symbols_per_client: int,
    flush_interval: float,
    ticks: float,
    path: Path | None,
) -> None:
    """Gateway memory per idle, subscribed client."""
    from ticker.bench import connections as bench
    from ticker.bench.rig import Load

    load = Load(clients, symbols, symbols_per_client, flush_interval, ticks)
    _finish("connections", vars(load), bench.run(load), path)


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
