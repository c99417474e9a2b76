"""A day written to a file: the options shared by all simulators, and the line of output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ticker.cli.simulate.parameters import Command, Count, together
from ticker.errors import FeedError


def day_options(
    *, output: str, messages: str, date: str | None = None, required: bool = True
) -> Callable[[Command], Command]:
    """--output, --messages and --date with these helps. `required`: the command only writes
    files."""
    return together(
        click.option(
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            required=required,
            help=output,
        ),
        click.option("--messages", type=Count(), default="1M", show_default=True, help=messages),
        click.option(
            "--date",
            "day",
            type=click.DateTime(["%Y-%m-%d"]),
            default="2026-01-05",
            show_default=True,
            help=date,
        ),
    )


def write_day(output: Path, write: Callable[[], int]) -> None:
    """Let `write` write a day to `output`, and print the number of messages that it returns.

    Raises:
        click.UsageError: such a day is impossible.
        FeedError: the file cannot be written.
    """
    try:
        total = write()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise FeedError(f"{output}: {error.strerror}; give another --output") from None
    click.echo(f"{output}: {total} messages, {output.stat().st_size} bytes")
