"""`ticker simulate pillar`: NYSE Pillar (XDP Integrated), written as a capture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.parameters import Count, Share
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns
from ticker.feeds.simulate.capture import write_pcap
from ticker.feeds.simulate.pillar import PillarMarket, XdpWriter


def channel_lines(channels: int, lines: int) -> list[list[tuple[str, int]]]:
    """Group and port of each channel's lines."""
    return [
        [(f"224.0.{59 + 16 * line}.{1 + channel}", 11_001 + channel) for line in range(lines)]
        for channel in range(channels)
    ]


@click.command("pillar", help="Write a day of NYSE Pillar (XDP Integrated) to a capture.")
@click.option("--symbols", type=click.IntRange(1, 65535), default=200, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--channels", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--lines", type=click.IntRange(1, 2), default=1, show_default=True)
@click.option("--loss", type=Share(), default="0%", help="Of each line's packets, like 0.1%.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The capture to write, XDP in a pcap; channel N is sent to 224.0.59.N:1100N, its line B "
    "to 224.0.75.N:1100N.",
)
@click.option(
    "--messages",
    type=Count(),
    default="1M",
    show_default=True,
    help="Of the market's day in ITCH; Pillar takes a few more.",
)
@click.option(
    "--date", "day", type=click.DateTime(["%Y-%m-%d"]), default="2026-01-05", show_default=True
)
def command(
    symbols: int,
    seed: int,
    channels: int,
    lines: int,
    loss: float,
    output: Path,
    messages: float,
    day: datetime,
) -> None:
    """One pcap, the packets of all channels in the order of their times."""
    midnight = midnight_ns(day.date())
    try:
        market = PillarMarket(
            symbols, seed, messages=int(messages), midnight=midnight, channels=channels
        )
        writer = XdpWriter(channel_lines(channels, lines), midnight, loss, seed)
        total = write_pcap(market, output, writer)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise FeedError(f"{output}: {error.strerror}; give another --output") from None
    click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")
