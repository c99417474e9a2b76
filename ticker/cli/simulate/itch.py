"""`ticker simulate itch`: Nasdaq, live on the network or written as a capture."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path

import click

from ticker import log
from ticker.cli.simulate.live import shown, speak
from ticker.cli.simulate.parameters import Address, Count, Share, live_options, optional_address
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns
from ticker.feeds.simulate.capture import PcapWriter, write_pcap, write_stream
from ticker.feeds.simulate.exchange import Exchange, Settings
from ticker.feeds.simulate.itch import ItchMarket
from ticker.feeds.simulate.soup_exchange import SoupExchange
from ticker.supervisor import child


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
        total = write_stream(market, output)
    click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")


def serve(settings: Settings, duration: float | None, as_json: bool) -> None:
    """The SoupBinTCP server, until a signal or the end of `duration`."""
    log.configure()
    exchange = SoupExchange(settings)
    asyncio.run(exchange.run(duration))
    if as_json:
        click.echo(json.dumps(exchange.statistics()))


@click.command("itch")
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
@click.option(
    "--session",
    type=click.Choice(["moldudp64", "soupbintcp"]),
    default="moldudp64",
    show_default=True,
    help="soupbintcp: a TCP server on --line-a for anybody who logs in; no other lines.",
)
@click.option(
    "--stamp",
    type=click.Choice(["sent", "due"]),
    default="sent",
    show_default=True,
    help="The time in a message: when it is sent, or when --rate had it due.",
)
@live_options(kept_for="re-requests", answered="re-requests")
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
def command(
    symbols: int,
    rate: float,
    seed: int,
    lines: int | None,
    loss: float,
    reorder: int,
    line_a: tuple[str, int],
    line_b: tuple[str, int],
    rerequest: tuple[str, int] | None,
    session: str,
    stamp: str,
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
    """Speak Nasdaq TotalView-ITCH 5.0 over MoldUDP64 or SoupBinTCP, or write a day of it to a
    file."""
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
        stamps_due=stamp == "due",
    )
    if session == "soupbintcp":
        if stamp == "due":
            raise click.UsageError("--stamp due: only with --session moldudp64")
        serve(settings, duration, as_json)
        return
    with Exchange(settings) as exchange:
        speak(
            exchange,
            duration,
            linger,
            as_json,
            session=exchange.session.decode(),
            symbols=symbols,
            rate=rate,
            lines=shown(*addresses),
            rerequest=shown(exchange.rerequest),
        )
