"""A file of a recording is whole after each commit, whatever happens next."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ticker.errors import StoreError
from ticker.record.files import HourFile, mend, recorded

SCHEMA = pa.schema([("publish_time", pa.int64()), ("symbol", pa.string())])
HOUR = 491_000


def rows(first: int, count: int) -> pa.RecordBatch:
    numbers = list(range(first, first + count))
    return pa.RecordBatch.from_pydict(
        {"publish_time": numbers, "symbol": [f"S{n % 7}" for n in numbers]}, SCHEMA
    )


def numbers(path: Path | None) -> list[int]:
    found: list[int] = pq.read_table(path)["publish_time"].to_pylist()
    return found


def test_a_file_is_whole_after_each_commit(tmp_path: Path) -> None:
    file = HourFile(tmp_path, "f", HOUR, SCHEMA)
    for part in range(5):
        file.write(rows(100 * part, 100))
        if part % 2 == 0:
            assert file.commit() > 0
            assert numbers(file.path) == list(range(100 * (part + 1)))
    assert file.path is not None
    assert file.commit() == 0, "nothing is new"
    file.commit()
    assert numbers(file.path) == list(range(500))
    assert pq.read_metadata(file.path).num_row_groups == 5


def test_what_was_written_amid_a_commit_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "f-2026-01-05T14.parquet"
    file = HourFile(tmp_path, "f", HOUR, SCHEMA)
    file.write(rows(0, 100))
    file.commit()
    assert file.path is not None
    whole = file.path.read_bytes()
    file.write(rows(100, 100))
    assert file.path.read_bytes() == whole, "it is whole until the next commit"
    file.commit()
    path.write_bytes(file.path.read_bytes()[:-5])
    assert mend(path) > 0
    assert path.read_bytes() == whole
    assert numbers(path) == list(range(100))
    assert mend(path) == 0


@pytest.mark.slow
def test_a_file_that_was_cut_anywhere_is_mended_to_a_commit(tmp_path: Path) -> None:
    file = HourFile(tmp_path, "f", HOUR, SCHEMA)
    commits = {}
    for part in range(3):
        file.write(rows(40 * part, 40))
        file.commit()
        assert file.path is not None
        commits[file.path.stat().st_size] = 40 * (part + 1)
    assert file.path is not None
    content = file.path.read_bytes()
    cut = tmp_path / "cut.parquet"
    for end in range(min(commits), len(content) + 1, 3):
        cut.write_bytes(content[:end])
        mend(cut)
        newest = max(size for size in commits if size <= end)
        assert cut.stat().st_size == newest
        assert numbers(cut) == list(range(commits[newest]))


def test_a_file_without_a_commit_is_left_alone(tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"PAR1" + bytes(100), b"PAR1" + 40 * b"PAR1"):
        path = tmp_path / "f-2026-01-05T14.parquet"
        path.write_bytes(content)
        assert mend(path) == 0
        assert path.read_bytes() == content


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """The kernel refuses what would make a file larger, in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = HourFile(tmp_path, "f", HOUR, SCHEMA)
    file.write(rows(0, 1000))
    file.commit()
    assert file.path is not None
    before = file.path.read_bytes()
    file.write(rows(1000, 1000))
    with room_for(len(before) + 100), pytest.raises(OSError, match="File too large"):
        file.commit()
    assert file.path.read_bytes() == before
    file.write(rows(2000, 1000))
    file.commit()
    assert numbers(file.path) == list(range(3000))


def test_files_are_listed_by_feed_hour_and_part(tmp_path: Path) -> None:
    for feed, hour in (("b", 1), ("a-1", HOUR), ("a-1", HOUR), ("a-1", HOUR - 1)):
        file = HourFile(tmp_path, feed, hour, SCHEMA)
        file.write(rows(0, 1))
        file.commit()
    (tmp_path / "notes.txt").touch()
    found = [(each.feed, each.hour, each.part) for each in recorded(tmp_path)]
    assert found == [("a-1", HOUR - 1, 1), ("a-1", HOUR, 1), ("a-1", HOUR, 2), ("b", 1, 1)]
    with pytest.raises(StoreError, match="cannot be read"):
        recorded(tmp_path / "nowhere")
