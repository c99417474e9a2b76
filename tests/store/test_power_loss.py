"""Days and bars over a loss of power: a commit that was reported is there, whole, whatever of the
writes that nobody had synced is lost.

SQLite runs on a disk that tells each write and each sync (forgetful_disk.c).
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from ticker.store.sqlite import History

SECOND = 1_000_000_000
START = 1_790_000_040
COMMITS = 40
SYMBOLS = 60
CRASHES = 120
MARK = "committed"
WRITER = f"""
import os, sys
from pathlib import Path
from ticker.store.rows import Place
from ticker.store.sqlite import History
folder = Path(sys.argv[1])
history = History(folder)
mark = os.open(folder / "{MARK}", os.O_WRONLY | os.O_CREAT)
for n in range(1, {COMMITS} + 1):
    start = {START} + 60 * (n // 2)
    bars = [
        (f"S{{k}}", "XNAS", start, n, n, n, n, n, n, n, n, n, 0, n, True, False)
        for k in range({SYMBOLS})
    ]
    history.write("f", bars, [], [], Place(1, {START} * {SECOND} + n, [n]))
    os.pwrite(mark, n.to_bytes(8, "little"), 0)
history.close()
"""


class Change(NamedTuple):
    """A line of the journal: kind, path, offset (or length, for a cut), bytes."""

    kind: str
    path: str
    offset: int
    content: bytes


def changes_of(journal: Path) -> Iterator[Change]:
    data, at = journal.read_bytes(), 0
    while at < len(data):
        kind = chr(data[at])
        path_size, size, offset = struct.unpack_from("3Q", data, at + 1)
        at += 25
        path = data[at : at + path_size].decode()
        at += path_size
        yield Change(kind, path, offset, data[at : at + size])
        at += size


def applied(content: bytes, changes: list[Change]) -> bytes:
    file = bytearray(content)
    for change in changes:
        if change.kind == "t":
            file[change.offset :] = bytes(max(0, change.offset - len(file)))
            continue
        end = change.offset + len(change.content)
        file.extend(bytes(max(0, end - len(file))))
        file[change.offset : end] = change.content
    return bytes(file)


class Disk:
    """What is synced of each file, and what was changed since."""

    def __init__(self) -> None:
        self.synced: dict[str, bytes] = {}
        self.since: dict[str, list[Change]] = {}
        self.reported = 0

    def take(self, change: Change) -> None:
        name = change.path
        if name.endswith(MARK):
            self.reported = int.from_bytes(change.content, "little")
        elif change.kind == "u":
            self.synced.pop(name, None)
            self.since.pop(name, None)
        elif change.kind == "s":
            self.synced[name] = applied(self.synced.get(name, b""), self.since.pop(name, []))
        else:
            self.since.setdefault(name, []).append(change)

    def left(self, folder: Path, chance: random.Random | None) -> None:
        """The files after a loss of power now: of what was not synced nothing, or any part."""
        for name in self.synced.keys() | self.since.keys():
            changes = self.since.get(name, [])
            kept = [each for each in changes if chance is not None and chance.random() < 0.5]
            path = folder / Path(name).name
            path.write_bytes(applied(self.synced.get(name, b""), kept))
            path.chmod(0o600)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[Change]:
    folder = tmp_path_factory.mktemp("disk")
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "no C compiler"
    library, told = folder / "disk.so", folder / "journal"
    source = Path(__file__).with_name("forgetful_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    kept = folder / "kept"
    kept.mkdir()
    environ = {"LD_PRELOAD": str(library), "TICKER_DISK_FOLDER": str(kept)}
    environ["TICKER_DISK_JOURNAL"] = str(told)
    command = [sys.executable, "-c", WRITER, str(kept)]
    subprocess.run(command, check=True, env={**os.environ, **environ})
    return list(changes_of(told))


def check(folder: Path, reported: int) -> int:
    """The commit that the files show: whole, and not older than the one that was reported."""
    history = History(folder)
    place = history.place("f")
    history.close()
    shown = place.positions[0] if place is not None else 0
    assert shown >= reported, "a commit that was reported is lost"
    rows = []  # the first thing on the disk may be a journal alone
    for path in (folder / "history").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = file.execute(
                "SELECT minute, trades, COUNT(*) FROM bars GROUP BY 1, 2"
            ).fetchall()
    expected = {START + 60 * (n // 2): n for n in range(1, shown + 1)}
    assert rows == [(minute, n, SYMBOLS) for minute, n in sorted(expected.items())]
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("keeps", ["nothing", "any part"])
def test_a_reported_commit_survives(journal: list[Change], tmp_path: Path, keeps: str) -> None:
    chance = random.Random(keeps)
    assert sum(change.kind == "s" for change in journal) > COMMITS
    last = next(i for i in reversed(range(len(journal))) if journal[i].path.endswith(MARK))
    moments = {*chance.sample(range(last), CRASHES), last}
    disk, shown = Disk(), []
    for number, change in enumerate(journal[: last + 1]):
        disk.take(change)
        if number in moments and disk.synced:
            folder = tmp_path / str(number)
            (folder / "history").mkdir(parents=True, mode=0o700)
            disk.left(folder / "history", chance if keeps == "any part" else None)
            shown.append(check(folder, disk.reported))
            shutil.rmtree(folder)
    assert shown[-1] == COMMITS


def test_the_disk_forgets_what_is_not_synced(tmp_path: Path) -> None:
    disk = Disk()
    for change in (
        Change("w", "/a", 0, b"0123"),
        Change("s", "/a", 0, b""),
        Change("w", "/a", 2, b"XYZ"),
        Change("t", "/a", 4, b""),
    ):
        disk.take(change)
    disk.left(tmp_path, None)
    assert (tmp_path / "a").read_bytes() == b"0123"
    disk.take(Change("s", "/a", 0, b""))
    disk.left(tmp_path, None)
    assert (tmp_path / "a").read_bytes() == b"01XY"
