"""Files of days and bars that are damaged, at the start or while they are open: noticed, said, set
aside, and begun anew."""

from __future__ import annotations

import errno
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.store.test_faults import HISTORY, NOW, Kept, failing, fails, kept, month_of, recovers
from ticker.store.disk import damage
from ticker.store.past import read_days
from ticker.store.reader import HistoryReader
from ticker.store.sqlite import History
from ticker.store.worker import COMMIT_TURNS

__all__ = ["kept"]
FILES = "files of days and bars"


def begun_anew(kept: Kept, lines: list[Any], path: Path, number: int = 1) -> Path:
    """A damaged file was noticed, said, and replaced by a new one; where it is now."""
    if kept.status.state == "failing":
        assert kept.status.reason.startswith("EUCLEAN, a file is damaged;")
        lines += kept.commit()
    aside = path.with_name(f"{path.name}.damaged-{number}")
    (said,) = [line for line in lines if line["event"] == "cannot be written"]
    assert (said["what"], said["log_level"]) in [(HISTORY, "error"), (FILES, "error")]
    assert str(path) in said["reason"]
    assert f"it is {aside.name} now, and a new one is begun" in said["reason"]
    assert "keep or delete" in said["advice"]
    assert ("is written again", said["what"]) in [
        (line["event"], line.get("what")) for line in lines
    ]
    status = kept.status
    assert (status.state, status.faults) == ("ok", number)
    assert kept.commit() == []
    assert read_days(HistoryReader(kept.folder), "AAPL", 1)
    holes = HistoryReader(kept.folder).holes(0, 1 << 62)
    assert [(hole.feed, hole.reason) for hole in holes if hole.touches(NOW, NOW + 1)] == [
        ("f", "damaged")
    ]
    return aside


def in_its_place(kept: Kept) -> Path:
    """The month's file, after its log went into it: pages of the log hide those of the file."""
    kept.commit()
    path = month_of(kept)
    assert isinstance(kept.worker.history, History)
    kept.worker.history._file(path.stem).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept.commit()
    return path


def overwrite(path: Path, begin: int, end: int) -> None:
    """Random bytes over a file, as another program that opens it would write them."""
    chance = random.Random(begin)
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(chance.randbytes(end - begin))


def test_a_damaged_file_of_days_and_bars_is_set_aside_and_begun_anew(kept: Kept) -> None:
    kept.commit()
    assert kept.worker.history is not None
    kept.worker.history.close()
    path = month_of(kept)
    data = bytearray(path.read_bytes())
    data[100:] = b"\xaa" * (len(data) - 100)
    path.write_bytes(data)
    aside = begun_anew(kept, kept.commit(), path)
    assert aside.read_bytes() == data


@pytest.mark.parametrize("where", ["", "-wal"])
@pytest.mark.parametrize("begin", [0, 100, 4096])
def test_random_bytes_over_an_open_file_are_noticed_while_it_is_open(
    kept: Kept, where: str, begin: int
) -> None:
    kept.commit()
    path = month_of(kept) if where else in_its_place(kept)
    victim = path.with_name(path.name + where)
    overwrite(victim, begin, victim.stat().st_size)
    begun_anew(kept, kept.commit(), path)


def test_damage_is_noticed_between_two_commits(kept: Kept) -> None:
    """Days and bars are written once a minute; the files are looked at each time that bars are
    put beside them."""
    path = in_its_place(kept)
    overwrite(path, 0, path.stat().st_size)
    with structlog.testing.capture_logs() as lines:
        for _ in range(COMMIT_TURNS):
            kept.worker.turn()
    assert [line["what"] for line in lines] == [FILES]
    begun_anew(kept, list(lines), path)


def test_what_another_program_writes_as_it_should_is_no_damage(kept: Kept) -> None:
    kept.commit()
    with closing(sqlite3.connect(month_of(kept))) as other:
        other.execute("CREATE TABLE notes (text)")
        other.execute("INSERT INTO notes VALUES ('mine')")
        other.commit()
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert kept.commit() == []
    assert (kept.status.state, kept.status.faults) == ("ok", 0)
    with closing(sqlite3.connect(month_of(kept))) as other:
        assert other.execute("SELECT text FROM notes").fetchall() == [("mine",)]


def test_so_many_damaged_files_stay(kept: Kept) -> None:
    for number in range(1, damage.KEPT + 3):
        path = in_its_place(kept)
        overwrite(path, 0, path.stat().st_size)
        begun_anew(kept, kept.commit(), path, number)
    names = sorted(each.name for each in path.parent.glob("*damaged*"))
    assert names == [f"{path.name}.damaged-{number}" for number in (3, 4, 5)]


def test_a_damaged_file_at_the_start(kept: Kept) -> None:
    (kept.folder / "history").mkdir()
    month = kept.folder / "history" / "2026-09.sqlite"
    content = b"no database at all" * 100
    month.write_bytes(content)
    aside = begun_anew(kept, kept.commit(), month)
    assert aside.read_bytes() == content


def test_a_damaged_file_that_cannot_be_set_aside(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept.folder / "history").mkdir()
    month = kept.folder / "history" / "2026-09.sqlite"
    month.write_bytes(b"no database at all" * 100)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing(errno.EACCES))
        reason = fails(kept, HISTORY, errno.EUCLEAN, "a file is damaged")
        assert "cannot be renamed" in reason
    month.unlink()
    recovers(kept, HISTORY)
