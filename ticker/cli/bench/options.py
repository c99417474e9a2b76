"""Options that several benches share, and how each ends: table, JSON, exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ticker.bench.commands import ENCODINGS
from ticker.bench.report import report, table, write

if TYPE_CHECKING:
    from ticker.bench.rig import Load

Command = TypeVar("Command", bound=Callable[..., Any])

JSON = click.option(
    "--json", "path", type=click.Path(path_type=Path), help="Write the whole report here."
)
DURATION = click.option("--duration", type=float, default=5.0, show_default=True, help="Seconds.")


def load_options(clients: int) -> Callable[[Command], Command]:
    """The options of every bench that has clients: the fields of rig.Load."""
    options = (
        click.option("--clients", type=int, default=clients, show_default=True),
        click.option("--symbols", type=int, default=1000, show_default=True),
        click.option("--symbols-per-client", "per_client", type=int, default=5, show_default=True),
        click.option(
            "--flush-interval", type=float, default=0.1, show_default=True, help="Seconds."
        ),
        click.option(
            "--ticks",
            type=float,
            default=1.0,
            show_default=True,
            help="Trades per symbol and flush interval.",
        ),
        click.option(
            "--encoding",
            type=click.Choice(ENCODINGS),
            default="plain",
            show_default=True,
            help="What clients speak: the plain dialect, or ticker.v1 in this encoding.",
        ),
        click.option(
            "--channel",
            type=click.Choice(["price", "quote", "trades"]),
            default="price",
            show_default=True,
            help="What they subscribe to.",
        ),
        JSON,
    )

    def apply(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


def load_of(options: dict[str, Any]) -> Load:
    if options["channel"] == "trades" and options["encoding"] == "plain":
        raise click.UsageError("--channel trades: the plain dialect has none; give an --encoding")
    from ticker.bench.rig import Load

    return Load(**options)


def finish(
    bench: str, parameters: dict[str, Any], results: dict[str, Any], path: Path | None
) -> None:
    found = report(bench, parameters, results)
    click.echo(table(found))
    if path:
        write(path, found)
    if found.get("void"):
        raise SystemExit(1)
