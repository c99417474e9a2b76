"""Simulated days, recorded, and what the recordings are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from click.testing import CliRunner

from tests.feeds.conftest import Itch
from ticker.cli import main
from ticker.feeds.workers.pipeline import CAPTURE_RULES, build
from ticker.record.capture import record_file
from ticker.record.playback.library import Recording, recordings
from ticker.record.player import Player
from ticker.record.tape import Tape
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.store.bars import Bars

GEOMETRY = Geometry(rows=1024, rings=4, ring_capacity=1 << 17)
DAY = date(2026, 1, 5)
SECOND = 1_000_000_000
DAY_START = 1_767_625_195 * SECOND
"""Receive time of the first piece: 2026-01-05, 14:59:55 UTC."""


@dataclass
class Watched:
    """A segment whose rings are read from their first record on."""

    mapping: Mapping = field(default_factory=lambda: private_feed(GEOMETRY, 1, 1))

    def __post_init__(self) -> None:
        self.rings = [RingReader(self.mapping, index) for index in range(GEOMETRY.rings)]

    def records(self) -> list[list[dict[str, int]]]:
        found = [ring.take(1 << 30) for ring in self.rings]
        assert not any(ring.laps for ring in self.rings)
        return found

    def rows(self) -> list[tuple[str, str, str, int, dict[str, int] | None]]:
        """Every word of every row."""
        table = PriceTable(self.mapping)
        return [
            (
                table.symbol(row),
                table.venue(row),
                table.currency(row),
                table.size_exponent(row),
                table.values(row),
            )
            for row in range(len(table))
        ]


def hand_made(path: Path) -> Path:
    """A day over two hours, with a halt, a broken trade, a cross, and a row that only trades."""
    itch = Itch()
    hour = 3600 * SECOND
    begin = 9 * hour + 59 * 60 * SECOND
    messages = [
        itch.system("O"),
        itch.directory(1, "AAPL"),
        itch.directory(2, "MSFT"),
        itch.action(1, "AAPL", "T"),
        itch.add(1, 1, "B", 160, 3_200_500, time=begin),
        itch.add(1, 2, "S", 90, 3_201_000, time=begin + 5),
        itch.execute(1, 1, 100, 7, time=begin + 9),
        itch.trade(1, 5, 3_200_700, 8, time=begin + 10 * SECOND),
        itch.trade(2, 50, 4_100_000, 9, time=begin + 70 * SECOND),
        itch.action(1, "AAPL", "H", time=begin + 80 * SECOND),
        itch.broken(1, 8, time=begin + 90 * SECOND),
        itch.trade(1, 11, 3_200_900, 10, time=begin + hour),
        itch.add(2, 3, "B", 10, 4_099_000, time=begin + hour + 1),
        itch.trade(2, 9, 4_100_100, 11, time=begin + hour + 2 * SECOND),
    ]
    path.write_bytes(b"".join(len(m).to_bytes(2, "big") + m for m in messages))
    return path


def simulated(path: Path, messages: int) -> Path:
    """A day of a simulated exchange, with all that happens in one."""
    command = ["simulate", "itch", "--output", str(path), "--messages", str(messages)]
    assert CliRunner().invoke(main, [*command, "--symbols", "20"]).exit_code == 0
    return path


def pieces(path: Path, size: int) -> Iterator[tuple[bytes, int, int]]:
    """A file bit by bit, each received 0.7 s after the one before."""
    content = path.read_bytes()
    for number, start in enumerate(range(0, len(content), size)):
        yield content[start : start + size], DAY_START + number * 7 * SECOND // 10, 0


def record_day(file: Path, folder: Path, batch: int = 4096, size: int = 1000) -> Watched:
    """An ITCH file through the pipeline onto the disk; the segment that it went through."""
    watched = Watched()
    pipeline = build(watched.mapping, "itch50", "binaryfile", DAY, rules=CAPTURE_RULES)
    tape = Tape(watched.mapping, "day", folder, "America/New_York", batch=batch)
    record_file(pipeline, pieces(file, size), tape)
    return watched


def play_day(recording: Recording) -> Watched:
    """All of it into a segment of its own, as fast as it goes."""
    played = Watched()
    player = Player(played.mapping)
    for events in recording.events():
        player.play(events, 0, events.count)
    player.flush()
    return played


def only_recording(folder: Path) -> Recording:
    [recording] = recordings(folder)
    return recording


def bars_of(watched: Watched) -> list[tuple[object, ...]]:
    """symbol, minute, open, high, low, close, volume, trades."""
    bars = Bars(watched.mapping, 0, [0] * 4)
    bars.read()
    taken = [bar for bar in bars.take() if bar[11] or bar[3] is not None]
    return sorted((bar[0], *bar[2:7], bar[9], bar[11]) for bar in taken)
