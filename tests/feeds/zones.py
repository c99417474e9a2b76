"""Time zones made for a test: their midnight is when the test wants it, and so is a change of the
clocks. Processes that are started with PYTHONTZPATH at the folder know them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

SECOND = 1_000_000_000
HOUR = 3600


@dataclass(frozen=True)
class Zone:
    """`yesterday` and `today` are the midnights before and after the change of days, ns."""

    name: str
    yesterday: int
    today: int


def make_zone(folder: Path, midnight: int, *, change: int = 0) -> Zone:
    """A zone whose midnight comes at `midnight` (s since the epoch); its clocks went forward by
    `change` seconds six hours before that, so that the day that ends has so much less."""
    after = -(midnight % 86_400)
    after += 86_400 if after < -43_200 else 0
    before = after - change
    name = f"Made{change + HOUR}"
    (folder / name).write_bytes(
        _head(0, 0, 0)
        + _head(1, 2, 8)
        + struct.pack(">qB", midnight - 6 * HOUR, 1)
        + struct.pack(">lBBlBB", before, 0, 0, after, 0, 4)
        + b"OLD\0NEW\0\n\n"
    )
    return Zone(name, (midnight - 86_400 + change) * SECOND, midnight * SECOND)


def _head(transitions: int, types: int, characters: int) -> bytes:
    """RFC 8536, section 3.1."""
    return struct.pack(">4sc15x6L", b"TZif", b"2", 0, 0, 0, transitions, types, characters)
