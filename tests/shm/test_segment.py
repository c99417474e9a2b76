"""Creating, attaching and removing segments; every reason to refuse one."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ticker.errors import SegmentError
from ticker.shm import segment
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.layout import LAYOUT_VERSION
from ticker.shm.ring import RingReader
from ticker.shm.table import PriceTable, TableWriter

BOOT = 77


def path_of(name: str) -> Path:
    return segment.SHM_FOLDER / name.removeprefix("/")


def write_word(name: str, index: int, value: int) -> None:
    """Spoil one 64-bit word of the header."""
    with path_of(name).open("r+b") as file:
        file.seek(8 * index)
        file.write(value.to_bytes(8, "little"))


def read_word(name: str, index: int) -> int:
    return int.from_bytes(path_of(name).read_bytes()[8 * index : 8 * index + 8], "little")


def test_create_then_attach(name: str, feed: Mapping) -> None:
    other = segment.attach(name, KIND_FEED, boot_id=BOOT)
    assert (other.row_capacity, other.ring_count, other.ring_capacity) == (8, 2, 4)
    assert other.boot_id == BOOT
    assert other.size == path_of(name).stat().st_size == feed.size
    assert not other.writable
    assert segment.attach(name, KIND_FEED, writable=True).writable


def test_every_page_is_backed_and_private(name: str, feed: Mapping) -> None:
    status = path_of(name).stat()
    assert status.st_blocks * 512 >= feed.size
    assert status.st_mode & 0o7777 == 0o600


def test_create_ignores_the_umask(name: str) -> None:
    before = os.umask(0o777)
    try:
        segment.create_feed(name, segment.Geometry(1, 1, 2), BOOT, 1)
    finally:
        os.umask(before)
    assert path_of(name).stat().st_mode & 0o7777 == 0o600


@pytest.mark.usefixtures("feed")
def test_create_refuses_a_taken_name(name: str) -> None:
    with pytest.raises(SegmentError, match="exists already; another server"):
        segment.create_feed(name, segment.Geometry(8, 2, 4), BOOT, 1)
    segment.attach(name, KIND_FEED)


@pytest.mark.parametrize("name", ["/no/such/place", "/" + "x" * 300])
def test_create_and_attach_refuse_an_impossible_name(name: str) -> None:
    with pytest.raises(SegmentError, match="cannot be created"):
        segment.create_worker(name, KIND_GATEWAY, BOOT, 1)
    with pytest.raises(SegmentError, match=name):
        segment.attach(name, KIND_GATEWAY)


def test_create_says_what_a_full_dev_shm_wants(name: str) -> None:
    free = shutil.disk_usage(segment.SHM_FOLDER).total
    with pytest.raises(SegmentError, match=r"cannot back \d+ bytes .*enlarge /dev/shm"):
        segment.create_feed(name, segment.Geometry(free // 448 + 1, 1, 2), BOOT, 1)
    assert not path_of(name).exists()


@pytest.mark.parametrize(
    ("rows", "rings", "capacity", "message"),
    [
        (0, 1, 2, "rows and rings"),
        (1, 0, 2, "rows and rings"),
        (1, 1, 3, "power of two"),
        (1, 1, 1, "power of two"),
        (1, 1, 0, "power of two"),
    ],
)
def test_create_refuses_an_impossible_geometry(
    name: str, rows: int, rings: int, capacity: int, message: str
) -> None:
    with pytest.raises(SegmentError, match=message):
        segment.create_feed(name, segment.Geometry(rows, rings, capacity), BOOT, 1)
    assert not path_of(name).exists()


def test_attach_refuses_a_missing_segment(name: str) -> None:
    with pytest.raises(SegmentError, match="no such segment; is `ticker serve` running"):
        segment.attach(name, KIND_FEED)


def refused(name: str, why: str, kind: int = KIND_FEED, boot_id: int | None = None) -> None:
    """Both ways of attaching are refused, with the name and the reason."""
    for writable in (False, True):
        with pytest.raises(SegmentError, match=why) as caught:
            segment.attach(name, kind, boot_id=boot_id, writable=writable)
        assert str(caught.value).startswith(name)


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o400, 0o700, 0o4600])
def test_attach_refuses_a_wrong_mode(name: str, mode: int) -> None:
    path_of(name).chmod(mode)
    refused(name, rf"mode is {mode:04o}, expected 0600|not yours")


@pytest.mark.usefixtures("feed")
def test_attach_refuses_another_owner(name: str, require: Callable[[object, str], None]) -> None:
    require(os.geteuid() == 0, "giving a file away takes root")
    os.chown(path_of(name), 12345, -1)
    refused(name, "belongs to uid 12345")


@pytest.mark.usefixtures("feed")
def test_attach_refuses_a_wrong_magic(name: str) -> None:
    write_word(name, 0, 0)
    refused(name, "not a ticker segment .wrong magic")


@pytest.mark.usefixtures("feed")
def test_attach_refuses_another_version(name: str) -> None:
    write_word(name, 1, 99)
    refused(name, f"layout version is 99, expected {LAYOUT_VERSION}: run the same ticker version")


@pytest.mark.usefixtures("feed", "gateway")
def test_attach_refuses_another_kind(name: str, gateway_name: str) -> None:
    refused(name, "this is a feed segment, not a gateway segment", KIND_GATEWAY)
    refused(gateway_name, "this is a gateway segment, not a feed segment")
    write_word(name, 2, 9)
    refused(name, "this is a 9 segment, not a feed segment")


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("change", [-4096, 4096])
def test_attach_refuses_another_size(name: str, change: int) -> None:
    size = path_of(name).stat().st_size
    os.truncate(path_of(name), size + change)
    refused(name, rf"size is {size + change}, expected {size}")


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("size", [0, 100, 4096])
def test_attach_refuses_a_segment_without_room_for_a_header(name: str, size: int) -> None:
    os.truncate(path_of(name), size)
    refused(name, f"{size} bytes is too short")


@pytest.mark.usefixtures("feed")
def test_attach_refuses_another_boot_id(name: str) -> None:
    refused(name, "boot id is 77, expected 78: the server was restarted", boot_id=78)
    segment.attach(name, KIND_FEED, boot_id=None)


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize(
    ("word", "value", "why"),
    [
        (3, 1 << 20, "size is"),
        (6, 9, "geometry"),
        (7, 440, "row size"),
        (8, 0, "table offset"),
        (9, 1, "geometry"),
        (10, 8, "geometry"),
        (10, 3, "power of two"),
        (11, 64, "rings offset"),
        (12, 128, "record size"),
        (6, 2**64 - 1, "geometry"),
        (9, 2**63, "geometry"),
        (10, 2**63, "geometry"),
    ],
)
def test_attach_refuses_a_header_at_odds_with_itself(
    name: str, word: int, value: int, why: str
) -> None:
    assert read_word(name, word) != value
    write_word(name, word, value)
    refused(name, why)


@pytest.mark.usefixtures("feed")
def test_reading_mapping_is_read_only(name: str) -> None:
    """The kernel's word for it, and a writer refused by each class that would write."""
    mapping = segment.attach(name, KIND_FEED)
    maps = Path("/proc/self/maps").read_text().splitlines()
    rights = {line.split()[1] for line in maps if line.endswith(path_of(name).name)}
    assert rights == {"r--s", "rw-s"}  # this one, and the creator's
    with pytest.raises(SegmentError, match="read-only"):
        TableWriter(mapping)
    with pytest.raises(BufferError):
        Mapping(mmap.mmap(-1, mapping.size, access=mmap.ACCESS_READ), True)


@pytest.mark.slow
@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize(("writable", "ends"), [(True, 0), (False, -signal.SIGSEGV)])
def test_a_write_through_a_reading_mapping_is_a_fault(name: str, writable: bool, ends: int) -> None:
    code = (
        "import ctypes, re, resource, sys; from pathlib import Path\n"
        "from ticker.shm import segment\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        f"mapping = segment.attach({name!r}, segment.KIND_FEED, writable={writable})\n"
        "maps = Path('/proc/self/maps').read_text().splitlines()\n"
        f"line = next(each for each in maps if each.endswith({path_of(name).name!r}))\n"
        "ctypes.c_uint64.from_address(int(line.split('-')[0], 16) + 512).value = 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == ends


@pytest.mark.usefixtures("feed")
def test_unmapped_with_the_last_reference(name: str) -> None:
    """No close(): what holds an address holds the mapping, and nothing else does."""

    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(path_of(name).name)

    before, fds = mapped(), len(list(Path("/proc/self/fd").iterdir()))
    mapping = segment.attach(name, KIND_FEED)
    table, ring = PriceTable(mapping), RingReader(mapping, 0)
    assert mapped() == before + 1
    del mapping
    assert len(table) == 0
    del table
    assert mapped() == before + 1
    del ring
    assert mapped() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == fds


def test_refused_attach_leaves_nothing_mapped(name: str, feed: Mapping) -> None:
    before = Path("/proc/self/maps").read_text().count(path_of(name).name)
    for _ in range(10):
        refused(name, "boot id", boot_id=1)
    assert Path("/proc/self/maps").read_text().count(path_of(name).name) == before
    assert feed.boot_id == BOOT


def test_the_buffer_cannot_be_closed_under_a_mapping(feed: Mapping) -> None:
    buffer = mmap.mmap(-1, feed.size)
    mapping = Mapping(buffer, True)
    mapping.format(KIND_FEED, BOOT, 1, 8, 2, 4)
    with pytest.raises(BufferError):
        buffer.close()
    del mapping
    buffer.close()


def test_survives_its_name_and_a_fork(
    name: str, feed: Mapping, in_child: Callable[[Callable[[], object]], int]
) -> None:
    """A removed segment lives on where it is mapped; a child shares it with its parent."""
    table = TableWriter(feed)
    row = table.add("AAPL")
    assert segment.remove(name)
    assert not segment.remove(name)
    assert in_child(lambda: table.put(row, price=5)) == 0
    values = table.values(row)
    assert values is not None
    assert values["price"] == 5


def test_private_feed_has_no_name() -> None:
    mapping = segment.private_feed(segment.Geometry(4, 1, 2), BOOT, 1)
    mapping.check(KIND_FEED, BOOT)
    assert mapping.writable
    assert not segment.leftovers("private")


def test_leftovers_are_those_of_the_instance(gateway_name: str, gateway: Mapping) -> None:
    instance = gateway_name.split(".")[1]
    assert gateway.writable
    assert segment.leftovers(instance) == [gateway_name]
    assert segment.leftovers(instance[:-1]) == []
    assert segment.leftovers("*") == []


def test_the_private_folder_is_ours_alone(gateway_name: str) -> None:
    instance = gateway_name.split(".")[1]
    folder = segment.private_folder(instance)
    segment.create_folder(instance)
    try:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "timetable").write_text("{}")
        with pytest.raises(SegmentError, match="cannot be created"):
            segment.create_folder(instance)
        assert f"/ticker.{instance}.private" in segment.leftovers(instance)
    finally:
        assert segment.remove(f"/ticker.{instance}.private")
    assert not folder.exists()
    assert not segment.remove(f"/ticker.{instance}.private")


def test_a_symlink_in_the_place_of_the_private_folder_leads_nowhere(
    gateway_name: str, tmp_path: Path
) -> None:
    instance = gateway_name.split(".")[1]
    (tmp_path / "precious").touch()
    folder = segment.private_folder(instance)
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(SegmentError, match="cannot be created"):
            segment.create_folder(instance)
        with pytest.raises(SegmentError, match="no folder of ours"):
            segment.remove(f"/ticker.{instance}.private")
        assert (tmp_path / "precious").exists()
    finally:
        folder.unlink()


def test_a_segment_that_is_kept_is_found_without_its_name(
    name: str, feed: Mapping, in_child: Callable[[Callable[[], object]], int]
) -> None:
    segment.keep(name)
    try:
        row = TableWriter(feed).add("AAPL")
        assert segment.remove(name)
        reader = segment.attach(name, KIND_FEED)
        assert (PriceTable(reader).symbol(row), reader.writable) == ("AAPL", False)
        assert in_child(lambda: segment.attach(name, KIND_FEED, writable=True)) == 0
    finally:
        segment.let_go()
    with pytest.raises(SegmentError, match="no such segment"):
        segment.attach(name, KIND_FEED)
