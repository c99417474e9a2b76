"""The resources that the mirror gets from the supervisor, beside the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MirrorContext:
    """The segments that it reads, and the one that it writes.

    Attributes:
        segment: name of its own segment, for its signs of life and its counters.
        boot_id: names this run of the server.
        instance: of the server.
        feeds: (name, segment) of each feed.
        timetable: file of the markets' hours (shm/timetable.py), if any feed follows one.
    """

    segment: str
    boot_id: int
    instance: str
    feeds: tuple[tuple[str, str], ...]
    timetable: Path | None = None
