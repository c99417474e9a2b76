"""`ticker check`: is this configuration right? Nothing is started; protocols of one's own
are loaded, and must be right."""

from __future__ import annotations

from pathlib import Path

import click

from ticker.config import SHIPPED, is_file_name
from ticker.feeds.workers.pipeline import load_protocol
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.supervisor.configuration import load


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
    for feed in config.feeds:
        if is_file_name(feed.protocol):
            load_protocol(feed.protocol)
    if config.directory.file is not None:
        SymbolDirectory(Path(config.directory.file))
    feeds = ", ".join(feed.name for feed in config.feeds) or "none"
    click.echo(
        f"{path or SHIPPED}: no fault found (feeds: {feeds}; gateways: {config.server.gateways})"
    )
