"""`ticker simulate`: a simulated exchange, live on the network or written as a capture."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from ticker.feeds.simulate.capture import PcapWriter, write_binaryfile, write_pcap
from ticker.feeds.simulate.itch import ItchMarket

EASTERN = ZoneInfo("America/New_York")
SUFFIXES = {"k": 1_000.0, "m": 1_000_000.0}


class Share(click.ParamType):
    """A share of one: 0.001 or 0.1%."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is no share: give one like 0.1% or 0.001", param, ctx)
        if not 0 <= share < 1:
            self.fail(f"{text} is out of range: give 0% to below 100%", param, ctx)
        return share


class Count(click.ParamType):
    """A number with an optional k or M: 20000, 20k, 1M."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        scale = SUFFIXES.get(text[-1:].lower(), 1.0)
        try:
            number = float(text[:-1] if scale > 1 else text) * scale
        except ValueError:
            self.fail(f"{text!r} is no number: give one like 20000, 20k or 1M", param, ctx)
        if not 0 < number < 1e12:
            self.fail(f"{text} is out of range: give more than 0", param, ctx)
        return number


class Address(click.ParamType):
    """HOST:PORT with a numeric IPv4 host."""

    name = "addr:port"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        octets = host.split(".")
        if len(octets) != 4 or not all(part.isdecimal() and int(part) < 256 for part in octets):
            self.fail(f"{value!r}: give ADDR:PORT, like 239.192.0.1:26477", param, ctx)
        if not port.isdecimal() or int(port) > 65535:
            self.fail(f"{value!r}: the port is 0 to 65535", param, ctx)
        return host, int(port)


def midnight(day: date) -> int:
    """ns since the epoch of a date's midnight in New York."""
    start = datetime(day.year, day.month, day.day, tzinfo=EASTERN)
    return int(start.astimezone(UTC).timestamp()) * 1_000_000_000


@click.group("simulate", help="A simulated exchange.")
def command() -> None:
    """One subcommand per protocol."""


@command.command("itch")
@click.option("--symbols", type=click.IntRange(1, 65535), default=200, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--lines", type=click.IntRange(1, 2), help="2 live, 1 in a pcap, by default.")
@click.option("--loss", type=Share(), default="0", help="Of each line's packets, like 0.1%.")
@click.option("--line-a", type=Address(), default="239.192.0.1:26477", show_default=True)
@click.option("--line-b", type=Address(), default="239.192.0.2:26477", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a day instead: MoldUDP64 if it ends in .pcap, else BinaryFILE.",
)
@click.option("--messages", type=Count(), default="1M", help="Of the day to write.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), default="2026-01-05")
def itch(
    symbols: int,
    seed: int,
    lines: int | None,
    loss: float,
    line_a: tuple[str, int],
    line_b: tuple[str, int],
    output: Path | None,
    messages: float,
    day: datetime,
) -> None:
    """Speak Nasdaq TotalView-ITCH 5.0 over MoldUDP64, or write a day of it to a file."""
    if output is None:
        raise click.UsageError("give --output")
    try:
        market = ItchMarket(symbols, seed, messages=int(messages))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if output.suffix == ".pcap":
        writer = PcapWriter(
            [line_a, line_b][: lines or 1], f"{day:%y%m%d}{seed % 10_000:04}", midnight(day.date()),
            loss, seed,
        )
        total = write_pcap(market, output, writer)
    else:
        total = write_binaryfile(market, output)
    click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")
