"""The resources that the store worker gets from the supervisor, beside the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StoreContext:
    """The segments that it reads, the one that it writes, and the folder of its files.

    Attributes:
        segment: name of its own segment, for its signs of life and its counters.
        boot_id: names this run of the server.
        feeds: (name, segment) of each feed.
        instance: of the server.
        folder: where its files are; private to this user.
        bars: name of the segment of bars in motion; None: they are not made.
        timezones: of feeds by name; the days of others have 24 hours.
        gateways: (segment name, eventfd) of each gateway slot, to ring when bars have changed.
    """

    segment: str
    boot_id: int
    feeds: tuple[tuple[str, str], ...]
    folder: Path
    instance: str = "default"
    bars: str | None = None
    gateways: tuple[tuple[str, int], ...] = ()
    timezones: Mapping[str, str] = field(default_factory=dict)
