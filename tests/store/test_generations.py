"""The two files of a snapshot survive a power loss at any moment."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import random
from pathlib import Path

import pytest

from tests.store.disk import Disk
from ticker.errors import StoreError
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter
from ticker.store.disk import generations
from ticker.store.disk.generations import Generations, make_folder
from ticker.store.last import FOLDER, FeedSnapshots, read_snapshots
from ticker.store.snapshot import Contents, Image, checksum

NOW = 1_774_900_000_000_000_000


def images(count: int) -> list[bytes]:
    """Snapshots of one row, whose price is the snapshot's number."""
    mapping = private_feed(Geometry(4, 1, 16), boot_id=1, now_ns=NOW)
    table = TableWriter(mapping)
    table.add("AAPL")
    image = Image(mapping, "f")
    made = []
    for number in range(1, count + 1):
        table.put(0, price=number, publish_time=NOW)
        image.look()
        made.append(bytes(image.seal(number, NOW + number)))
    return made


def newest(files: dict[str, bytes]) -> int:
    """The number of the newest whole snapshot among the files, 0: none."""
    found = [0]
    for path, content in files.items():
        if Path(path).suffix not in (".0", ".1"):
            continue
        try:
            contents = Contents(content)
        except StoreError:
            continue
        for _, _, values in contents:
            assert values["price"] == contents.number
            found.append(contents.number)
    return max(found)


def test_a_power_loss_at_any_moment_leaves_the_newest_or_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk()
    monkeypatch.setattr(generations, "os", disk)
    files = Generations(Path("/store"), "f")
    states = 0
    for number, content in enumerate(images(4), 1):
        before = len(disk.crashes)
        files.write(number, content)
        for crash in disk.crashes[before:]:
            assert newest(crash) in (number - 1, number)
            states += 1
        assert newest({name: bytes(disk.files[at]) for name, at in disk.names.items()}) == number
        assert {newest(crash) for crash in disk.crashes[-3:]} == {number}, "durable on return"
    assert states > 100


def test_a_full_disk_leaves_both_files_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = images(3)
    disk = Disk(most_bytes=len(first) + len(second) + len(third) // 2)
    monkeypatch.setattr(generations, "os", disk)
    files = Generations(Path("/store"), "f")
    files.write(1, first)
    files.write(2, second)
    with pytest.raises(OSError, match="No space") as caught:
        files.write(3, third)
    assert caught.value.errno == errno.ENOSPC
    assert sorted(disk.names) == ["/store/f.0", "/store/f.1"]
    assert newest({name: bytes(disk.files[at]) for name, at in disk.names.items()}) == 2


def test_a_snapshot_is_written_only_when_a_row_moved(tmp_path: Path) -> None:
    mapping = private_feed(Geometry(4, 1, 16), boot_id=1, now_ns=NOW)
    table = TableWriter(mapping)
    table.add("AAPL")
    snapshots = FeedSnapshots(mapping, tmp_path, "f")
    assert snapshots.take(NOW) > 0
    assert snapshots.take(NOW) == 0
    table.put(0, price=5)
    assert snapshots.take(NOW + 1) > 0
    found, faults = read_snapshots(tmp_path, "f")
    assert [contents.number for contents in found] == [2, 1]
    assert faults == []
    again = FeedSnapshots(mapping, tmp_path, "f")
    assert again.number == 2, "numbers go on over a restart"


def test_what_moved_while_the_disk_was_full_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = private_feed(Geometry(4, 1, 16), boot_id=1, now_ns=NOW)
    table = TableWriter(mapping)
    table.add("AAPL")
    snapshots = FeedSnapshots(mapping, tmp_path, "f")
    with monkeypatch.context() as patch:
        patch.setattr(generations, "os", Disk(most_bytes=0))
        table.put(0, price=5)
        with pytest.raises(OSError, match="No space"):
            snapshots.take(NOW)
    assert snapshots.take(NOW) > 0
    ((_, _, values),) = read_snapshots(tmp_path, "f")[0][0]
    assert values["price"] == 5


def test_files_that_are_no_snapshots_are_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "f.0").write_bytes(b"nonsense")
    (tmp_path / FOLDER / "f.1").symlink_to(tmp_path / "elsewhere")
    found, faults = read_snapshots(tmp_path, "f")
    assert found == []
    assert "f.0: not a snapshot" in faults[0]
    assert "f.1: cannot be read" in faults[1]


def test_the_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    head = bytearray(images(1)[0])
    head[8] = 2
    head[124:128] = checksum(bytes(head[:124])).to_bytes(4, "little")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "f.1").write_bytes(head)
    mapping = private_feed(Geometry(4, 1, 16), boot_id=1, now_ns=NOW)
    with pytest.raises(StoreError, match=r"f\.1: a snapshot in format 2.*move the file away"):
        FeedSnapshots(mapping, tmp_path, "f")


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be created .* name another folder"):
        make_folder(tmp_path / "file" / "store")


@pytest.mark.parametrize("extra", [0, 1, 4095, 4096])
@pytest.mark.parametrize("start", [0, 1])
def test_a_large_file_is_whole_whatever_its_length_and_its_place_in_memory(
    tmp_path: Path, extra: int, start: int
) -> None:
    """It is written past the page cache where that is possible."""
    memory = mmap.mmap(-1, generations.LARGE + 2 * generations.BLOCK)
    memory[:] = random.Random(1).randbytes(len(memory))
    content = memoryview(memory)[start : start + generations.LARGE + extra]
    files = Generations(tmp_path, "f")
    files.write(1, content)
    assert Generations.read_one(files.paths[1]) == bytes(content)


def test_a_large_file_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.write
    refused = []

    def full(fd: int, data: memoryview) -> int:
        if len(data) > generations.BLOCK:
            refused.append(bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(fd, data)

    files = Generations(tmp_path, "f")
    files.write(1, b"before")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(2, bytes(generations.LARGE))
    assert refused[-1] is False, "the plain write says it"
    assert [path.name for path in tmp_path.iterdir()] == ["f.1"]
