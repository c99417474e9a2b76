"""`ticker simulate tops` and `ticker simulate deep`: IEX, written as a capture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.parameters import Count, Share
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns
from ticker.feeds.simulate.capture import write_pcap
from ticker.feeds.simulate.iex import IexMarket, IexTpWriter


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
