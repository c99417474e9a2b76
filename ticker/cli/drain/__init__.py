"""`ticker drain`: takes a server out of service, and lets its clients go."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ticker.clock import now_ns
from ticker.errors import ClientError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.private.draining import Drain, write_drain
from ticker.supervisor.configuration import load
from ticker.supervisor.find import Running, find

LOOK = 0.1  # s
LONGER = 30.0  # s for the last clients, behind the spread
CLOSED = 2  # of the gauge `draining`


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="Its instance name, instead of the configuration's.")
@click.option(
    "--notice",
    default=0.0,
    type=click.FloatRange(0, 3600),
    help="Seconds in which it is not ready, and still takes clients: balancers look meanwhile.",
)
@click.option(
    "--spread",
    type=click.FloatRange(0, 3600),
    help="Seconds over which its clients are let go; default: gateway.restart_spread.",
)
@click.option(
    "--limit",
    type=click.FloatRange(0),
    help="Seconds to wait for the last client; default: 30 behind the spread.",
)
@click.option("--off", is_flag=True, help="Take clients again.")
def command(
    path: Path | None,
    instance: str | None,
    notice: float,
    spread: float | None,
    limit: float | None,
    off: bool,
) -> None:
    """Take a running server out of service, before its restart or that of its machine.

    At once /readyz says 503, so that balancers send nobody more. Then new clients are refused, and
    the others get a goodbye, spread over some seconds; a client of the balancer comes back to
    another server. The command ends when no client is left. The server runs on, until it is stopped
    or takes clients again (--off). Exit code 1: clients are left at the limit. Exit code 4: no
    server is running.
    """
    config = load(path)
    name = instance or config.server.instance
    running = find(name)
    if off:
        write_drain(name, None)
        _until_open(running)
        click.echo("takes clients again")
        return
    if spread is None:
        spread = config.gateway.restart_spread
    begun = time.monotonic()
    before = _connections(running)
    boot = running.gateways[0].boot_id
    write_drain(name, Drain(boot=boot, since_ns=now_ns(), notice=notice, spread=spread))
    most = notice + spread + LONGER if limit is None else limit
    while not _empty(running):
        if time.monotonic() - begun > most:
            raise ClientError(
                f"{_connections(running)} clients are still connected after {most:g} s; the server "
                "goes on to let them go: ask again, stop it, or let it take clients by "
                "`ticker drain --off`"
            )
        time.sleep(LOOK)
    click.echo(f"drained of {before} clients in {time.monotonic() - begun:.1f} s")


def _empty(running: Running) -> bool:
    """Whether no worker takes clients, and none has one. A worker says that it takes none when it
    has just counted."""
    closed = all(Counters(each)["draining"] == CLOSED for each in _present(running))
    return closed and not _connections(running)


def _until_open(running: Running) -> None:
    end = time.monotonic() + LONGER
    while any(Counters(each)["draining"] for each in _present(running)):
        if time.monotonic() > end:
            raise ClientError("its workers do not take clients again; the server's log says why")
        time.sleep(LOOK)


def _present(running: Running) -> list[Mapping]:
    """The segments of the workers that there are now."""
    workers = running.workers()
    return [each for each in running.gateways if Heartbeat(each).pid in workers]


def _connections(running: Running) -> int:
    return sum(Counters(each)["connections_open"] for each in _present(running))
