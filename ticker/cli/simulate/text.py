"""`ticker simulate fix` and `ticker simulate json`, written as a file of messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.day import day_options, write_day
from ticker.cli.simulate.parameters import seed_option, symbols_option
from ticker.feeds.day import midnight_ns
from ticker.simulate.lines.capture import write_stream
from ticker.simulate.market.levels import LevelMarket
from ticker.simulate.speakers.fix import FixMarket
from ticker.simulate.speakers.json import JsonMarket


def text_command(protocol: str, says: str, make: Callable[..., LevelMarket]) -> click.Command:
    """`ticker simulate fix` and `ticker simulate json`."""

    @symbols_option
    @seed_option
    @day_options(output="The file to write.", messages="Messages of the same day in ITCH.")
    def write(symbols: int, seed: int, output: Path, messages: float, day: datetime) -> None:
        midnight = midnight_ns(day.date())

        def whole() -> int:
            market = make(symbols, seed, messages=int(messages), midnight=midnight)
            return write_stream(market, output)

        write_day(output, whole)

    return click.command(protocol, help=says)(write)


fix = text_command("fix", "Write a day in FIX 4.4: 35=W, then 35=X.", FixMarket)
json = text_command(
    "json", "Write a day in Polygon's JSON: trades and quotes, a line each.", JsonMarket
)
