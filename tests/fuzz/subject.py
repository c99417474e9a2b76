"""What is fed: a decoder or a session over a real market in private memory, checked after each
input. And the seeds: the sample folders of the tree, and captures where there are some.

A script is an input for what takes several pieces: u8 operation, u16 (little-endian) length,
piece; and so on. What is left over is a piece too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

ROOT = Path(__file__).resolve().parents[2]
GEOMETRY = Geometry(rows=16, rings=1, ring_capacity=64)
START = 1_767_362_400_000_000_000
MS = 1_000_000


class Subject:
    """A market with few rows and little room, so that full tables and logs are met too."""

    def __init__(self, make: Callable[..., Protocol], **options: Any) -> None:
        self.mapping = private_feed(GEOMETRY, 1, 1)
        self.market = Market(self.mapping, trade_log=256, order_limit=512, **options)
        self.protocol = make(self.market)
        self.counters = Counters(self.mapping)
        self.table = PriceTable(self.mapping)
        self.now = START

    def check(self) -> None:
        """Publish; every row can be read, and what it says is possible."""
        self.now += MS
        self.market.publish(self.now)
        for row in range(len(self.table)):
            values = self.table.values(row)
            assert values is not None, f"row {row} was left half-written"
            assert 0 < len(self.table.symbol(row)) <= 24
            assert values["bid"] >= 0 <= values["ask"], values
            assert values["low"] <= values["high"], values
            assert values["price"] >= 0 <= values["previous_close"], values

    def counted(self) -> int:
        """All that was counted so far."""
        return sum(self.counters.as_dict().values())


def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (operation, piece) of a script."""
    at = 0
    while len(data) - at >= 3:
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        yield data[at], data[at + 3 : at + 3 + length]
        at += 3 + length
    if at < len(data):
        yield 0, data[at:]


def chunks(data: bytes) -> Iterator[bytes]:
    """A stream in chunks of as many bytes as its first one says (0: whole), 64 at most."""
    size = max(data[0], len(data) // 64) if data and data[0] else len(data)
    for at in range(0, len(data), size or 1):
        yield data[at : at + size]


def script(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """A script of (operation, piece)s."""
    return b"".join(bytes([op]) + len(data).to_bytes(2, "little") + data for op, data in parts)


def sample_files(protocol: str) -> list[bytes]:
    """The .bin files of tests/data/<protocol>."""
    folder = ROOT / "tests" / "data" / protocol
    return [path.read_bytes() for path in sorted(folder.glob("*.bin"))]


@cache
def sample_messages(protocol: str) -> list[list[bytes]]:
    """The messages of each sample of a protocol."""
    folder = ROOT / "tests" / "data" / protocol
    return [_messages(path) for path in sorted(folder.glob("*.bin"))]


def _messages(path: Path) -> list[bytes]:
    """The messages of a sample, framed as the .json beside it says (docs/new-protocol.md)."""
    framing = json.loads(path.with_suffix(".json").read_text()).get("framing", "u16 big")
    width, order = int(framing.split()[0][1:]) // 8, framing.split()[1]
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + width], "big" if order == "whole" else order)
        start = at if order == "whole" else at + width
        found.append(data[start : start + length])
        at = start + length
    return found


def captures() -> Path | None:
    """The folder of sample captures, where there is one (tests/conftest.py)."""
    folder = Path(os.environ.get("TICKER_SAMPLES") or ROOT.parent / "shared" / "feeds")
    return folder if folder.is_dir() else None


def capture_files(pattern: str, most: int = 1 << 16) -> list[bytes]:
    """The start of each file of a pattern in the folder of captures."""
    folder = captures()
    if folder is None:
        return []
    return [path.read_bytes()[:most] for path in sorted(folder.glob(pattern)) if path.is_file()]
