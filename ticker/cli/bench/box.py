"""`ticker bench box`: ingest and delivery together, on all cores of the machine."""

from __future__ import annotations

import click

from ticker.bench.swarm.commands import ENCODINGS
from ticker.cli.bench.options import Output, output_options
from ticker.cli.simulate.parameters import Count, Share


@click.command("box")
@click.option("--clients", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--symbols", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option(
    "--symbols-per-client", "per_client", type=click.IntRange(1), default=5, show_default=True
)
@click.option(
    "--rate", type=Count(), default="1M", show_default=True, help="ITCH messages per second."
)
@click.option(
    "--encoding",
    type=click.Choice(ENCODINGS),
    default="json",
    show_default=True,
    help="Of the clients: the plain dialect, or ticker.v1 in this encoding.",
)
@click.option("--gateways", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--duration", type=float, default=60.0, show_default=True, help="Seconds.")
@click.option(
    "--p99",
    "bound_ms",
    type=float,
    default=250.0,
    show_default=True,
    help="Upper bound of p99 from trade to client; milliseconds.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--loss",
    type=Share(),
    default="0%",
    help="Share of each line's packets to drop, like 1%.",
)
@click.option(
    "--search",
    is_flag=True,
    help="Find the highest rate that holds, from --rate on, in steps of --step seconds; then hold "
    "it for --duration.",
)
@click.option(
    "--step", type=float, default=4.0, show_default=True, help="Seconds of a step of --search."
)
@output_options
def command(
    output: Output,
    clients: int,
    symbols: int,
    per_client: int,
    rate: float,
    encoding: str,
    gateways: int,
    duration: float,
    bound_ms: float,
    seed: int,
    loss: float,
    search: bool,
    step: float,
) -> None:
    """Ingest and delivery together: simulated ITCH in over UDP, clients out, on all cores.

    Server, simulator and clients share the cores, unpinned. Exits with 1 if anything was lost on
    the feed, a client lagged, was lost or was left without the newest price, or latency passed
    the bound.
    """
    from ticker.bench import box as bench
    from ticker.bench import highest
    from ticker.bench.rig.rig import Load

    load = Load(clients, symbols, per_client, encoding=encoding, gateways=gateways)
    box = bench.BoxLoad(load, rate, seed, loss)
    parameters = {
        "clients": clients,
        "symbols": symbols,
        "per_client": per_client,
        "rate": rate,
        "encoding": encoding,
        "gateways": gateways,
        "duration": duration,
        "p99_ms": bound_ms,
        "seed": seed,
        "loss": loss,
        "step": step if search else None,
    }
    if search:
        output.run("box", parameters, lambda: highest.search(box, step, duration, bound_ms))
    else:
        output.run("box", parameters, lambda: bench.run(box, duration, bound_ms))
