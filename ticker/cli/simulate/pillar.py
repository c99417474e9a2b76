"""`ticker simulate pillar`: NYSE Pillar (XDP Integrated), written as a capture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.day import day_options, write_day
from ticker.cli.simulate.parameters import loss_option, seed_option, symbols_option
from ticker.feeds.day import midnight_ns
from ticker.simulate.lines.capture import write_pcap
from ticker.simulate.speakers.pillar import PillarMarket, XdpWriter


def channel_lines(channels: int, lines: int) -> list[list[tuple[str, int]]]:
    """Group and port of each channel's lines."""
    return [
        [(f"224.0.{59 + 16 * line}.{1 + channel}", 11_001 + channel) for line in range(lines)]
        for channel in range(channels)
    ]


@click.command("pillar", help="Write a day of NYSE Pillar (XDP Integrated) to a capture.")
@symbols_option
@seed_option
@click.option("--channels", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--lines", type=click.IntRange(1, 2), default=1, show_default=True)
@loss_option
@day_options(
    output="The capture to write, XDP in a pcap; channel N is sent to 224.0.59.N:1100N, its line "
    "B to 224.0.75.N:1100N.",
    messages="Messages of the same day in ITCH; Pillar has a few more.",
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
    """Write one pcap with the packets of all channels in the order of time."""
    midnight = midnight_ns(day.date())

    def whole() -> int:
        market = PillarMarket(
            symbols, seed, messages=int(messages), midnight=midnight, channels=channels
        )
        writer = XdpWriter(channel_lines(channels, lines), midnight, loss, seed)
        return write_pcap(market, output, writer)

    write_day(output, whole)
