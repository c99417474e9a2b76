"""The resources that a relay and a bridge get from the supervisor, beside the configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RelayContext:
    """The segments that a relay reads, and the one that it writes.

    Attributes:
        segment: name of its own segment, for its signs of life and its counters.
        boot_id: names this run of the server.
        instance: of the server; with the machine's name it names this box.
        feeds: (name, segment) of each feed that it publishes.
    """

    segment: str
    boot_id: int
    instance: str
    feeds: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class BridgeContext:
    """The segment that a bridge writes, and those that it wakes.

    Attributes:
        segment: name of the feed's segment.
        boot_id: names this run of the server.
        instance: of the server; with the machine's name it names this box.
        gateways: segment name and eventfd (inherited, non-blocking) of each gateway slot.
    """

    segment: str
    boot_id: int
    instance: str
    gateways: tuple[tuple[str, int], ...]
