"""`ticker reload`: a running server reads its configuration again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from ticker.supervisor.configuration import load
from ticker.supervisor.find import find


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="Its instance name, instead of the configuration's.")
def command(path: Path | None, instance: str | None) -> None:
    """Have a running server read its configuration again.

    Tokens, limits, origins and certificates change at once. The server's log says which changed
    keys wait for `ticker restart` or for a restart of the server, and why a file is refused.
    """
    config = load(path)
    running = find(instance or config.server.instance)
    os.kill(running.supervisor, signal.SIGHUP)
    click.echo(f"told process {running.supervisor}; its log says what has changed")
