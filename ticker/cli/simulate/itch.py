"""`ticker simulate itch`: Nasdaq, live on the network or written as a capture."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path

import click

from ticker import log
from ticker.cli.simulate.day import day_options, write_day
from ticker.cli.simulate.live import shown, speak
from ticker.cli.simulate.parameters import (
    Address,
    line_options,
    live_options,
    market_options,
    optional_address,
)
from ticker.feeds.day import midnight_ns
from ticker.simulate.exchange import Exchange, Settings
from ticker.simulate.lines.capture import PcapWriter, write_pcap, write_stream
from ticker.simulate.soup_exchange import SoupExchange
from ticker.simulate.speakers.itch import ItchMarket
from ticker.supervisor import child


def write(
    output: Path,
    symbols: int,
    seed: int,
    messages: int,
    day: datetime,
    lines: tuple[tuple[str, int], ...],
    loss: float,
) -> int:
    """Write a day to `output`; how many messages."""
    market = ItchMarket(symbols, seed, messages=messages)
    if output.suffix == ".pcap":
        session = f"{day:%y%m%d}{seed % 10_000:04}"
        writer = PcapWriter(list(lines), session, midnight_ns(day.date()), loss, seed)
        return write_pcap(market, output, writer)
    return write_stream(market, output)


def serve(settings: Settings, duration: float | None, as_json: bool) -> None:
    """The SoupBinTCP server, until a signal or the end of `duration`."""
    log.configure()
    exchange = SoupExchange(settings)
    asyncio.run(exchange.run(duration))
    if as_json:
        click.echo(json.dumps(exchange.statistics()))


@click.command("itch")
@market_options
@line_options
@click.option("--line-a", type=Address(), default="239.192.0.1:26477", show_default=True)
@click.option("--line-b", type=Address(), default="239.192.0.2:26477", show_default=True)
@click.option(
    "--rerequest",
    default="127.0.0.1:26479",
    show_default=True,
    callback=optional_address,
    help="Address of the re-request server.  [default: none runs]",
)
@click.option(
    "--session",
    type=click.Choice(["moldudp64", "soupbintcp"]),
    default="moldudp64",
    show_default=True,
    help="soupbintcp: a TCP server on --line-a takes every login; there are no other lines.",
)
@click.option(
    "--stamp",
    type=click.Choice(["sent", "due"]),
    default="sent",
    show_default=True,
    help="Time in a message: sent: when it leaves; due: when --rate had it due.",
)
@live_options(kept_for="re-requests", answered="re-requests")
@day_options(
    output="Write a day instead: MoldUDP64 if it ends in .pcap, else BinaryFILE.",
    messages="Messages of the day to write.",
    date="Date of the day to write.",
    required=False,
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
        path, total = output, int(messages)
        write_day(path, lambda: write(path, symbols, seed, total, day, addresses, loss))
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
