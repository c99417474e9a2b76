"""The resources that a gateway worker gets from the supervisor."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ticker.config import Config
from ticker.gateway.rest.bars import BarSource


@dataclass(frozen=True)
class GatewayContext:
    """One gateway slot.

    Attributes:
        index: number of the slot; a replacement gets the same one.
        segment: name of the slot's own shared-memory segment, which this worker may write.
        boot_id: names this run of the server; every segment has it.
        feeds: (feed name, segment name) of each feed, which this worker may read.
        listener: bound, listening SO_REUSEPORT socket; the supervisor keeps it open too.
        doorbell_fd: non-blocking eventfd that feed workers ring.
        instance: of the server; names the segments of feeds that come later.
        serials: of the feeds' segments (shm/private/roster.py).
        gateways: names of all gateway segments by slot, for the box's metrics.
        timetable: file of the markets' hours (shm/timetable.py), if any feed follows one.
        store: name of the store worker's segment, for its state; None if the store is off.
        past: reads the store's bars; None if the store is off.
        bars: name of the segment of bars in motion; None if the store is off.
        recorder: name of the recorder's segment, for its state; None: nothing is recorded.
        relay: name of the relay's segment, for its counters; None: nothing is published on a bus.
        mirror: name of the mirror's segment, for its state; None: there is no Redis.
        reload: reads the configuration again (SIGHUP); raises ConfigError. None: there is no file.
    """

    index: int
    segment: str
    boot_id: int
    feeds: tuple[tuple[str, str], ...]
    listener: socket.socket
    doorbell_fd: int
    instance: str = ""
    serials: Mapping[str, int] = field(default_factory=dict)
    gateways: tuple[str, ...] = ()
    timetable: Path | None = None
    store: str | None = None
    past: BarSource | None = None
    bars: str | None = None
    recorder: str | None = None
    relay: str | None = None
    mirror: str | None = None
    reload: Callable[[], Config] | None = None
