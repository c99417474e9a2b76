"""`ticker restart`: replaces the gateway workers, one after the other."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import click

from ticker.errors import GatewayError
from ticker.supervisor.configuration import load
from ticker.supervisor.find import find

LOOK = 0.1  # s
PATIENCE = 75.0  # s for one worker to start and to drain, besides the spread


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="Its instance name, instead of the configuration's.")
def command(path: Path | None, instance: str | None) -> None:
    """Replace the gateway workers of a running server, one by one.

    No client is refused meanwhile: each new worker accepts before the old one stops. The clients of
    the old workers are told to reconnect, spread over gateway.restart_spread seconds. The command
    waits until all are replaced.
    """
    config = load(path)
    running = find(instance or config.server.instance)
    before = running.workers()
    begun = time.monotonic()
    os.kill(running.supervisor, signal.SIGUSR2)
    progress = begun
    left = before
    while left:
        if time.monotonic() - progress > PATIENCE + config.gateway.restart_spread:
            raise GatewayError(
                f"{len(left)} of {len(before)} gateway workers are still the old ones, and "
                "nothing has moved for a while; the server's log says why"
            )
        time.sleep(LOOK)
        still = before & running.workers()
        progress = time.monotonic() if still != left else progress
        left = still
    click.echo(f"{len(before)} gateway workers replaced in {time.monotonic() - begun:.1f} s")
