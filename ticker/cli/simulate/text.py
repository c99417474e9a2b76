"""`ticker simulate fix` and `ticker simulate json`, written as a file of messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.parameters import Count
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns
from ticker.feeds.simulate.capture import write_stream
from ticker.feeds.simulate.fix import FixMarket
from ticker.feeds.simulate.json import JsonMarket
from ticker.feeds.simulate.levels import LevelMarket


def text_command(protocol: str, says: str, make: Callable[..., LevelMarket]) -> click.Command:
    """`ticker simulate fix` and `ticker simulate json`."""

    @click.option("--symbols", type=click.IntRange(1, 65535), default=200, show_default=True)
    @click.option("--seed", type=int, default=1, show_default=True)
    @click.option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        help="The file to write.",
    )
    @click.option(
        "--messages",
        type=Count(),
        default="1M",
        show_default=True,
        help="Of the market's day in ITCH.",
    )
    @click.option(
        "--date",
        "day",
        type=click.DateTime(["%Y-%m-%d"]),
        default="2026-01-05",
        show_default=True,
    )
    def write_day(symbols: int, seed: int, output: Path, messages: float, day: datetime) -> None:
        midnight = midnight_ns(day.date())
        try:
            market = make(symbols, seed, messages=int(messages), midnight=midnight)
            total = write_stream(market, output)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        except OSError as error:
            raise FeedError(f"{output}: {error.strerror}; give another --output") from None
        click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")

    return click.command(protocol, help=says)(write_day)


fix = text_command("fix", "Write a day in FIX 4.4: 35=W, then 35=X.", FixMarket)
json = text_command(
    "json", "Write a day in Polygon's JSON: trades and quotes, a line each.", JsonMarket
)
