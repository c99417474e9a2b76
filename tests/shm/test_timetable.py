"""The hours of a market: every phase of a day, and the file that tells of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ticker.errors import SegmentError
from ticker.shm.liveness import BREAK, CLOSED, OPEN, POST, PRE, UNKNOWN
from ticker.shm.timetable import Market, Timetable, TradingSession, write_timetable

H = 3600 * 10**9
DAYS = [
    TradingSession(4 * H, 9 * H, 16 * H, 20 * H, 12 * H, 13 * H),
    TradingSession(28 * H, 33 * H, 37 * H, 41 * H),
]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (4 * H - 1, (UNKNOWN, 0, 0)),
        (4 * H, (PRE, 4 * H, 0)),
        (9 * H, (OPEN, 4 * H, 0)),
        (12 * H, (BREAK, 4 * H, 0)),
        (13 * H, (OPEN, 4 * H, 0)),
        (16 * H, (POST, 4 * H, 16 * H)),
        (20 * H, (CLOSED, 20 * H, 16 * H)),
        (28 * H - 1, (CLOSED, 20 * H, 16 * H)),
        (28 * H, (PRE, 28 * H, 16 * H)),
        (37 * H, (POST, 28 * H, 37 * H)),
        (41 * H, (UNKNOWN, 0, 0)),
    ],
)
def test_phases(now: int, expected: tuple[int, int, int]) -> None:
    assert Market(DAYS).at(now) == expected


def test_next_open_and_close() -> None:
    market = Market(DAYS)
    assert (market.next_open(0), market.next_close(0)) == (9 * H, 16 * H)
    assert (market.next_open(9 * H), market.next_close(16 * H)) == (33 * H, 37 * H)
    assert (market.next_open(40 * H), market.next_close(40 * H)) == (0, 0)


def test_the_file_is_read_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "timetable"
    read = Timetable(["a", "b"], path)
    read.look()
    assert read.sessions(9 * H) == [(UNKNOWN, 0, 0)] * 2
    write_timetable(path, {"b": "M"}, {"M": DAYS[:1]})
    read.look()
    assert read.sessions(9 * H) == [(UNKNOWN, 0, 0), (OPEN, 4 * H, 0)]
    assert read.markets(9 * H) == [("M", ("b",), "open", 0, 16 * H)]
    write_timetable(path, {"a": "M", "b": "M"}, {"M": DAYS})
    read.look()
    assert read.markets(9 * H) == [("M", ("a", "b"), "open", 33 * H, 16 * H)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["timetable"]


def test_a_file_that_somebody_else_put_there_is_not_written_to(tmp_path: Path) -> None:
    """A symlink in the place of the new file would lead the writer anywhere."""
    path, precious = tmp_path / "timetable", tmp_path / "precious"
    precious.write_text("kept")
    path.with_name("timetable.new").symlink_to(precious)
    write_timetable(path, {"a": "M"}, {"M": DAYS})
    assert precious.read_text() == "kept"
    assert not path.is_symlink()
    read = Timetable(["a"], path)
    read.look()
    assert read.market_of == {"a": "M"}


def test_a_folder_of_another_user_is_neither_written_nor_believed(
    tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    """After the folder was deleted under a server, another user may have taken its name."""
    require(os.geteuid() == 0, "only root can make a folder of another user")
    folder = tmp_path / "private"
    write_timetable(folder / "timetable", {"a": "M"}, {"M": DAYS})
    for each in (folder / "timetable", folder):
        os.chown(each, 65534, 65534)
    with pytest.raises(SegmentError, match="no folder of ours"):
        write_timetable(folder / "timetable", {"a": "M"}, {"M": DAYS})
    read = Timetable(["a"], folder / "timetable")
    read.look()
    assert not read.market_of


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "private" / "timetable"
    write_timetable(path, {"a": "M"}, {"M": DAYS})
    assert path.parent.stat().st_mode & 0o777 == 0o700
