"""`ticker simulate`: a simulated exchange, live on the network or written as a capture."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime
from pathlib import Path

import click
import structlog

from ticker import log
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns
from ticker.feeds.simulate.capture import PcapWriter, write_binaryfile, write_pcap
from ticker.feeds.simulate.exchange import Exchange, Settings
from ticker.feeds.simulate.iex import IexMarket, IexTpWriter
from ticker.feeds.simulate.itch import ItchMarket
from ticker.supervisor import child

SUFFIXES = {"k": 1_000.0, "m": 1_000_000.0}


class Share(click.ParamType[float]):
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


class Count(click.ParamType[float]):
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


class Address(click.ParamType[tuple[str, int]]):
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


def optional_address(
    ctx: click.Context, param: click.Parameter, value: str
) -> tuple[str, int] | None:
    """ADDR:PORT, or none."""
    return None if value == "none" else Address().convert(value, param, ctx)


def speak(settings: Settings, duration: float | None, linger: float, as_json: bool) -> None:
    """Run the exchange until SIGTERM, SIGINT or the end of `duration`."""
    log.configure()
    logger = structlog.get_logger()
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    with Exchange(settings) as exchange:
        lines = ", ".join(f"{host}:{port}" for host, port in settings.lines)
        server = ":".join(map(str, exchange.rerequest or ("none",)))
        logger.info(
            "simulated exchange",
            session=exchange.session.decode(),
            symbols=settings.symbols,
            rate=settings.rate,
            lines=lines,
            rerequest=server,
        )
        exchange.run(lambda: bool(stopped), duration, linger)
        statistics = exchange.statistics()
    logger.info("simulated exchange closed", **statistics)
    if as_json:
        click.echo(json.dumps(statistics))


def write(
    output: Path,
    symbols: int,
    seed: int,
    messages: int,
    day: datetime,
    lines: tuple[tuple[str, int], ...],
    loss: float,
) -> None:
    """Write a day to `output`."""
    market = ItchMarket(symbols, seed, messages=messages)
    if output.suffix == ".pcap":
        session = f"{day:%y%m%d}{seed % 10_000:04}"
        writer = PcapWriter(list(lines), session, midnight_ns(day.date()), loss, seed)
        total = write_pcap(market, output, writer)
    else:
        total = write_binaryfile(market, output)
    click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")


def write_iex(
    protocol: str,
    output: Path,
    symbols: int,
    seed: int,
    messages: int,
    day: datetime,
    lines: int,
    loss: float,
) -> None:
    """Write a day of TOPS or DEEP to `output`, a pcap with one line or two."""
    midnight = midnight_ns(day.date())
    market = IexMarket(symbols, seed, messages=messages, midnight=midnight, protocol=protocol)
    groups = [("233.215.21.3", 10377), ("233.215.21.131", 10378)][:lines]
    session = midnight // 1_000_000_000 & 0xFFFFFFFF
    total = write_pcap(market, output, IexTpWriter(groups, session, protocol, loss, seed))
    click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")


@click.group("simulate", help="A simulated exchange.")
def command() -> None:
    """One subcommand per protocol."""


@command.command("itch")
@click.option("--symbols", type=click.IntRange(1, 65535), default=200, show_default=True)
@click.option(
    "--rate", type=Count(), default="2000", show_default=True, help="Messages per second."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--lines", type=click.IntRange(1, 2), help="2 live, 1 in a pcap, by default.")
@click.option("--loss", type=Share(), default="0%", help="Of each line's packets, like 0.1%.")
@click.option(
    "--reorder",
    type=click.IntRange(0, 1000),
    default=0,
    help="One packet in a hundred is late by up to so many packets.",
)
@click.option("--line-a", type=Address(), default="239.192.0.1:26477", show_default=True)
@click.option("--line-b", type=Address(), default="239.192.0.2:26477", show_default=True)
@click.option(
    "--rerequest",
    default="127.0.0.1:26479",
    show_default=True,
    callback=optional_address,
    help="Of the re-request server, or none.",
)
@click.option("--interface", default="127.0.0.1", show_default=True)
@click.option(
    "--history",
    type=click.IntRange(1, 65536),
    default=256,
    show_default=True,
    help="MiB of messages kept for re-requests.",
)
@click.option("--duration", type=float, help="Seconds; until SIGTERM or SIGINT by default.")
@click.option(
    "--linger",
    type=float,
    default=0.3,
    show_default=True,
    help="Seconds for which re-requests are answered after the end.",
)
@click.option("--die-with-parent", is_flag=True, help="End when the parent process does.")
@click.option("--json", "as_json", is_flag=True, help="Counts at the end as JSON on stdout.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a day instead: MoldUDP64 if it ends in .pcap, else BinaryFILE.",
)
@click.option(
    "--messages", type=Count(), default="1M", show_default=True, help="Of the day to write."
)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2026-01-05",
    show_default=True,
    help="Of the day to write.",
)
def itch(
    symbols: int,
    rate: float,
    seed: int,
    lines: int | None,
    loss: float,
    reorder: int,
    line_a: tuple[str, int],
    line_b: tuple[str, int],
    rerequest: tuple[str, int] | None,
    interface: str,
    history: int,
    duration: float | None,
    linger: float,
    die_with_parent: bool,
    as_json: bool,
    output: Path | None,
    messages: float,
    day: datetime,
) -> None:
    """Speak Nasdaq TotalView-ITCH 5.0 over MoldUDP64, or write a day of it to a file."""
    addresses = (line_a, line_b)[: lines or (2 if output is None else 1)]
    if output is not None:
        try:
            write(output, symbols, seed, int(messages), day, addresses, loss)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        except OSError as error:
            raise FeedError(f"{output}: {error.strerror}; give another --output") from None
        return
    if die_with_parent:
        child.die_with_parent(os.getppid())
    settings = Settings(
        symbols=symbols,
        rate=rate,
        seed=seed,
        lines=addresses,
        rerequest=rerequest,
        interface=interface,
        loss=loss,
        reorder=reorder,
        history=history << 20,
    )
    speak(settings, duration, linger, as_json)


def iex_command(protocol: str) -> click.Command:
    """`ticker simulate tops` and `ticker simulate deep`."""

    @click.option("--symbols", type=click.IntRange(1, 65535), default=200, show_default=True)
    @click.option("--seed", type=int, default=1, show_default=True)
    @click.option("--lines", type=click.IntRange(1, 2), default=1, show_default=True)
    @click.option("--loss", type=Share(), default="0%", help="Of each line's packets, like 0.1%.")
    @click.option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        help="The capture to write, IEX-TP in a pcap.",
    )
    @click.option(
        "--messages",
        type=Count(),
        default="1M",
        show_default=True,
        help="Of the market's day in ITCH; in DEEP it takes about as many, in TOPS fewer.",
    )
    @click.option(
        "--date",
        "day",
        type=click.DateTime(["%Y-%m-%d"]),
        default="2026-01-05",
        show_default=True,
    )
    def write_day(
        symbols: int,
        seed: int,
        lines: int,
        loss: float,
        output: Path,
        messages: float,
        day: datetime,
    ) -> None:
        try:
            write_iex(protocol, output, symbols, seed, int(messages), day, lines, loss)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        except OSError as error:
            raise FeedError(f"{output}: {error.strerror}; give another --output") from None

    return click.command(protocol, help=f"Write a day of IEX {protocol.upper()} to a capture.")(
        write_day
    )


for name in ("tops", "deep"):
    command.add_command(iex_command(name))
