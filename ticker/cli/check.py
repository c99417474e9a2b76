"""`ticker check`: check a configuration, and all files and variables that it names.

Nothing is started. Protocols of one's own are loaded, and must be right."""

from __future__ import annotations

from pathlib import Path

import click

from ticker.config import SHIPPED
from ticker.config.effective import effective_text
from ticker.supervisor.configuration import load_all
from ticker.supervisor.surroundings import warnings


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="The file; without it, the shipped one.",
)
@click.option("--effective", is_flag=True, help="Print the configuration with its defaults.")
def command(path: Path | None, effective: bool) -> None:
    """Check a configuration file, and everything that the server would read: mappings,
    certificates, keys, credentials of the environment. All faults are printed at once, with exit
    code 3."""
    config = load_all(path)
    for warning in warnings(config):
        click.echo(f"ticker: warning: {warning}", err=True)
    if effective:
        click.echo(effective_text(config), nl=False)
        return
    feeds = ", ".join(feed.name for feed in config.feeds) or "none"
    click.echo(
        f"{path or SHIPPED}: no fault found (feeds: {feeds}; gateways: {config.server.gateways})"
    )
