"""`ticker bench`: how fast is this build on this machine?"""

from __future__ import annotations

import click

from ticker.cli.bench import (
    box,
    capacity,
    connections,
    fanout,
    ingest,
    latency,
    scaling,
    shm,
    snapshot,
)


@click.group()
def command() -> None:
    """Measure this build on this machine; needs two cores and a source tree."""


for bench in (fanout, latency, capacity, snapshot, connections, ingest, box, scaling, shm):
    command.add_command(bench.command)
