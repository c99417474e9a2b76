"""`ticker check`: is this configuration right? Nothing is started and no feed is loaded."""

from __future__ import annotations

from pathlib import Path

import click

from ticker.config import SHIPPED, load


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="The file; without it, the shipped one.",
)
def command(path: Path | None) -> None:
    """Check a configuration file; exit code 3 says that it is wrong."""
    config = load(path)
    feeds = ", ".join(feed.name for feed in config.feeds) or "none"
    click.echo(f"{path or SHIPPED}: right (feeds: {feeds}; gateways: {config.server.gateways})")
