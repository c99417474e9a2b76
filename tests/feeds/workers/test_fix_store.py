"""The file of a FIX session's numbers, after crashes of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from ticker.errors import FeedError
from ticker.feeds.workers.fix_store import WIDTH, SequenceStore

WHO = "FIX.4.4 TICKER VENUE"


def test_numbers_come_back(tmp_path: Path) -> None:
    store = SequenceStore(tmp_path / "a" / "numbers", WHO)
    assert (store.next_out, store.next_in) == (1, 1)
    for number in range(1, 50):
        store.save(number, 2 * number)
    store.close()
    store = SequenceStore(tmp_path / "a" / "numbers", WHO)
    assert (store.next_out, store.next_in) == (49, 98)
    store.close()


@pytest.mark.parametrize("left", range(0, WIDTH, 9))
def test_a_slot_cut_by_a_crash_leaves_the_one_before(tmp_path: Path, left: int) -> None:
    path = tmp_path / "numbers"
    store = SequenceStore(path, WHO)
    store.save(5, 6)
    before = path.read_bytes()
    store.save(7, 8)
    store.close()
    after = path.read_bytes()
    changed = next(at for at in range(len(after)) if before[at] != after[at]) // WIDTH * WIDTH
    mixed = bytearray(before)
    mixed[changed : changed + left] = after[changed : changed + left]
    path.write_bytes(mixed)
    store = SequenceStore(path, WHO)
    whole = bytes(mixed).replace(b"\0", b" ").split() == after.replace(b"\0", b" ").split()
    assert (store.next_out, store.next_in) == ((7, 8) if whole else (5, 6))
    store.close()


def test_what_is_not_its_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    store = SequenceStore(path, WHO)
    with pytest.raises(FeedError, match="in use"):
        SequenceStore(path, WHO)
    store.close()
    with pytest.raises(FeedError, match="VENUE"):
        SequenceStore(path, "FIX.4.4 TICKER OTHER")
    path.write_bytes(path.read_bytes()[:WIDTH] + b"x" * 2 * WIDTH)
    with pytest.raises(FeedError, match="damaged"):
        SequenceStore(path, WHO)
    with pytest.raises(FeedError, match="cannot be opened"):
        SequenceStore(tmp_path, WHO)


def test_one_that_died_before_its_first_number_starts_at_one(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    SequenceStore(path, WHO).close()
    for length in (0, 10, WIDTH):
        path.write_bytes(path.read_bytes()[:length])
        store = SequenceStore(path, WHO)
        assert (store.next_out, store.next_in) == (1, 1)
        store.close()


def test_it_is_nobody_elses_to_read(tmp_path: Path) -> None:
    SequenceStore(tmp_path / "numbers", WHO).close()
    assert (tmp_path / "numbers").stat().st_mode & 0o077 == 0
