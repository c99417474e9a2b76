"""The process entry of a feed worker: one feed, one segment, one core.

`run` is called by the supervisor in a forked child and returns when the feed was told to stop.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeedContext:
    """What a feed worker is given by its supervisor beside its own configuration."""

    segment: str
    """Name of the feed's segment; it exists and is attached writable."""
    boot_id: int
    """Of this life of the server; segments of another one are refused."""
    instance: str = "default"
    gateways: tuple[tuple[str, int], ...] = ()
    """Segment name and eventfd (inherited, non-blocking) of each gateway slot."""
