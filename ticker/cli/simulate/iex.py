"""`ticker simulate tops` and `ticker simulate deep`: IEX, written as a capture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.day import day_options, write_day
from ticker.cli.simulate.parameters import loss_option, seed_option, symbols_option
from ticker.feeds.day import midnight_ns
from ticker.simulate.lines.capture import write_pcap
from ticker.simulate.speakers.iex import IexMarket, IexTpWriter


def write_iex(
    protocol: str,
    output: Path,
    symbols: int,
    seed: int,
    messages: int,
    day: datetime,
    lines: int,
    loss: float,
) -> int:
    """Write a day of TOPS or DEEP to `output`, a pcap with one line or two; how many messages."""
    midnight = midnight_ns(day.date())
    market = IexMarket(symbols, seed, messages=messages, midnight=midnight, protocol=protocol)
    groups = [("233.215.21.3", 10377), ("233.215.21.131", 10378)][:lines]
    session = midnight // 1_000_000_000 & 0xFFFFFFFF
    return write_pcap(market, output, IexTpWriter(groups, session, protocol, loss, seed))


def iex_command(protocol: str) -> click.Command:
    """`ticker simulate tops` and `ticker simulate deep`."""

    @symbols_option
    @seed_option
    @click.option("--lines", type=click.IntRange(1, 2), default=1, show_default=True)
    @loss_option
    @day_options(
        output="The capture to write, IEX-TP in a pcap.",
        messages="Messages of the same day in ITCH; DEEP has about as many, TOPS fewer.",
    )
    def write(
        symbols: int,
        seed: int,
        lines: int,
        loss: float,
        output: Path,
        messages: float,
        day: datetime,
    ) -> None:
        total = int(messages)
        write_day(
            output, lambda: write_iex(protocol, output, symbols, seed, total, day, lines, loss)
        )

    return click.command(protocol, help=f"Write a day of IEX {protocol.upper()} to a capture.")(
        write
    )
