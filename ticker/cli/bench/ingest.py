"""`ticker bench ingest`: messages per second of a feed worker."""

from __future__ import annotations

import click

from ticker.cli.bench.options import Output, output_options


@click.command("ingest")
@click.option(
    "--protocol", default="itch50", show_default=True, help="Format of the simulated day."
)
@click.option("--symbols", type=int, default=5000, show_default=True)
@click.option(
    "--messages", type=int, help="Messages of the simulated day.  [default: by the format]"
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--repeat", type=int, default=3, show_default=True, help="Turns of each side.")
@click.option(
    "--udp", is_flag=True, help="Measure a live feed instead: a simulator sends over UDP."
)
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
@output_options
def command(
    protocol: str,
    symbols: int,
    messages: int | None,
    seed: int,
    repeat: int,
    udp: bool,
    rate: int,
    duration: float,
    output: Output,
) -> None:
    """Messages per second through a feed worker, from a file or over UDP."""
    from ticker.bench import ingest as bench

    if udp:
        live = {"symbols": symbols, "rate": rate, "duration": duration, "seed": seed}
        output.run("ingest-udp", live, lambda: bench.udp(symbols, rate, duration, seed))
    else:
        if protocol not in bench.FORMATS:
            raise click.UsageError(
                f"--protocol {protocol}: unknown; give one of {', '.join(bench.FORMATS)}"
            )
        parameters = {
            "protocol": protocol,
            "symbols": symbols,
            "messages": messages,
            "seed": seed,
            "repeat": repeat,
        }
        output.run(
            "ingest",
            parameters,
            lambda: bench.replay(protocol, symbols, messages, seed, repeat),
        )
