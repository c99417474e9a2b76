"""`ticker reload`: a running server reads its configuration again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import click

from ticker.errors import ClientError, ConfigError
from ticker.supervisor import outcome
from ticker.supervisor.find import find

PATIENCE = 10.0  # s
LOOK = 0.02


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="Its instance name, instead of the configuration's.")
def command(path: Path | None, instance: str | None) -> None:
    """Let a running server read its configuration again, and print the changes.

    Tokens, limits, origins, certificates and feeds change at once. A feed is added, removed, or
    gets a new worker, and no client is cut. Other keys wait for `ticker restart`, or for a restart
    of the server. A wrong file changes nothing. Exit code 3: the file is wrong. Exit code 4: no
    server is running.
    """
    name = instance or _instance_of(path)
    running = find(name, without_memory=True)
    before = outcome.last(name).number
    os.kill(running.supervisor, signal.SIGHUP)
    end = time.monotonic() + PATIENCE
    while (found := outcome.last(name)).number == before:
        if time.monotonic() > end:
            raise ClientError(
                f"process {running.supervisor} has not answered for {PATIENCE:g} s; its log may "
                "say why"
            )
        time.sleep(LOOK)
    if found.refused:
        raise ConfigError(f"not reloaded, the old configuration stays in force: {found.refused}")
    click.echo(f"reloaded: {', '.join(found.now) or 'nothing has changed'}")
    for until, keys in found.waits.items():
        if keys:
            click.echo(f"waits for {until}: {', '.join(keys)}")


def _instance_of(path: Path | None) -> str:
    # An import of its own: with --instance no configuration is read.
    from ticker.supervisor.configuration import load

    return load(path).server.instance
