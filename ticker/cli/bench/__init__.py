"""`ticker bench`: how fast is this build on this machine?"""

from __future__ import annotations

import importlib

import click

from ticker.cli.bench import (
    box,
    bus,
    capacity,
    connections,
    disk,
    every,
    fanout,
    fleet,
    ingest,
    latency,
    scaling,
    shm,
    snapshot,
)
from ticker.errors import BenchError

KERNEL = "ticker.bench.swarm.histogram"
"""One of those that `make serve` does not compile (Makefile)."""


@click.group()
def command() -> None:
    """Measure this build on this machine; needs two cores.

    Begin with `all` (three minutes), then `capacity` with your own --clients, --symbols-per-client
    and --rate. The load is open loop: trades come when they are due, independent of the server.
    Each client checks every frame. A run is void when the load generator was the bottleneck.

    Each bench shows a table; --json FILE has everything, --plot FILE.svg draws it, --fail-if
    'p99>50ms' makes it a test. Exit codes: 0 all held; 1 a bound that came true, or a void run;
    2 a wrong option; 9 it could not run here.
    """
    try:
        importlib.import_module(KERNEL)
    except ModuleNotFoundError as error:
        if error.name != KERNEL:
            raise
        raise BenchError(
            "the benchmarks are not compiled: `make serve` leaves them out; run `make setup`"
        ) from None


BENCHES = (
    every, capacity, latency, fanout, scaling, snapshot, connections, ingest, box, bus, fleet, shm,
)  # fmt: skip
for bench in BENCHES:
    command.add_command(bench.command)
for each in (disk.recorder, disk.store, disk.start):
    command.add_command(each)
