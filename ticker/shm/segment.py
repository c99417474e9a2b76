"""POSIX shared-memory segments: create, attach, remove.

The supervisor creates (mode 0600, every page backed at once, so that a full tmpfs is an
error here and not a SIGBUS later), and drops that mapping before it forks, since a child would
inherit its right to write; workers attach, readers with PROT_READ.
"""

from __future__ import annotations

import glob
import mmap
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import posix_ipc

from ticker.errors import SegmentError
from ticker.shm.header import (
    KIND_BARS,
    KIND_FEED,
    KIND_GATEWAY,
    KIND_STORE,
    Mapping,
    segment_size,
)

SHM_FOLDER = Path("/dev/shm")
MODE = 0o600
BARS_RING = 32_768
"""Changes of bars that a gateway may be behind."""
UNFINISHED = ".new"
"""Ends the name of a segment that does not have its first content yet."""


@dataclass(frozen=True)
class Geometry:
    """The size of a feed segment: table rows, rings (shards), records per ring, books."""

    rows: int = 16_384
    rings: int = 4
    ring_capacity: int = 65_536
    depth_rows: int = 0


def feed_name(instance: str, feed: str) -> str:
    return f"/ticker.{instance}.{feed}"


def gateway_name(instance: str, index: int) -> str:
    return f"/ticker.{instance}.gateway{index}"


def store_name(instance: str) -> str:
    return f"/ticker.{instance}.store"


def recorder_name(instance: str) -> str:
    return f"/ticker.{instance}.recorder"


def relay_name(instance: str) -> str:
    return f"/ticker.{instance}.relay"


def mirror_name(instance: str) -> str:
    return f"/ticker.{instance}.mirror"


def bars_name(instance: str) -> str:
    return f"/ticker.{instance}.store.bars"


def marker_name(instance: str, mark: str) -> str:
    return f"/ticker.{instance}.store.mark-{mark}"


def folder_name(instance: str) -> str:
    return f"/ticker.{instance}.private"


def private_folder(instance: str) -> Path:
    """A folder in memory for the files of an instance, which nobody else can enter."""
    return SHM_FOLDER / folder_name(instance).lstrip("/")


def create_folder(instance: str) -> None:
    """Make the private folder.

    Raises:
        SegmentError: its name is taken.
    """
    try:
        private_folder(instance).mkdir(0o700)
    except OSError as error:
        raise SegmentError(
            f"{private_folder(instance)}: cannot be created ({error.strerror}); remove the "
            "file or folder of this name"
        ) from None


def restore_folder(folder: Path) -> None:
    """Make a private folder again if it was deleted under the server.

    Raises:
        SegmentError: something that is not ours has its name.
    """
    try:
        folder.mkdir(0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise SegmentError(f"{folder}: cannot be created ({error.strerror})") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise SegmentError(f"{folder}: is no folder of ours; remove it")


def put_private(path: Path, content: bytes) -> None:
    """Put a file of a private folder in the place of the old one.

    Raises:
        SegmentError: something that is not ours has the name of its folder.
        OSError: the file cannot be written.
    """
    restore_folder(path.parent)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a writer that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, MODE), "wb") as file:
        file.write(content)
    fresh.replace(path)


def create_feed(name: str, geometry: Geometry, boot_id: int, now_ns: int) -> Mapping:
    """A new, empty feed segment; refuses a name that is taken."""
    mapping = _create(name, _size(geometry))
    _format_feed(mapping, geometry, boot_id, now_ns)
    return mapping


def create_worker(name: str, kind: int, boot_id: int, now_ns: int) -> Mapping:
    """A new, empty segment of a worker that has no rows: a gateway, or one beside the feeds."""
    mapping = _create(name, segment_size(kind))
    mapping.format(kind, boot_id, now_ns)
    return mapping


def create_marker(name: str) -> None:
    """A segment without content: its name is all that it says. One that is there is taken.

    Raises:
        SegmentError: it cannot be created.
    """
    try:
        posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, mode=MODE).close_fd()
    except (posix_ipc.Error, OSError, ValueError) as error:
        raise SegmentError(f"{name}: cannot be created ({error})") from None


def finish(name: str) -> None:
    """Give a segment that was created as `name` + UNFINISHED its name, at one instant. One that had
    the name before has none then.

    Raises:
        SegmentError: the name is another user's.
    """
    path = SHM_FOLDER / name.lstrip("/")
    try:
        path.with_name(path.name + UNFINISHED).replace(path)
    except OSError as error:
        raise SegmentError(f"{name}: cannot be created ({error.strerror})") from None


def create_bars(name: str, symbols: int, boot_id: int, now_ns: int) -> Mapping:
    """A new, empty segment of bars in motion, with room for so many symbols."""
    mapping = _create(name, segment_size(KIND_BARS, symbols, 1, BARS_RING))
    mapping.format(KIND_BARS, boot_id, now_ns, symbols, 1, BARS_RING)
    return mapping


def private_bars(symbols: int, ring: int = 1024) -> Mapping:
    """A segment of bars in anonymous memory, for tests: the same code, no name."""
    mapping = Mapping(mmap.mmap(-1, segment_size(KIND_BARS, symbols, 1, ring)), True)
    mapping.format(KIND_BARS, 0, 1, symbols, 1, ring)
    return mapping


def private_feed(geometry: Geometry, boot_id: int, now_ns: int) -> Mapping:
    """A feed segment in anonymous memory, for `ticker replay`: the same pipeline, no name."""
    mapping = Mapping(mmap.mmap(-1, _size(geometry)), True)
    _format_feed(mapping, geometry, boot_id, now_ns)
    return mapping


def _size(geometry: Geometry) -> int:
    return segment_size(
        KIND_FEED, geometry.rows, geometry.rings, geometry.ring_capacity, geometry.depth_rows
    )


def _format_feed(mapping: Mapping, geometry: Geometry, boot_id: int, now_ns: int) -> None:
    mapping.format(
        KIND_FEED,
        boot_id,
        now_ns,
        geometry.rows,
        geometry.rings,
        geometry.ring_capacity,
        geometry.depth_rows,
    )


def private_gateway(now_ns: int) -> Mapping:
    """A gateway segment in anonymous memory, for the echo program: the same code, no name."""
    mapping = Mapping(mmap.mmap(-1, segment_size(KIND_GATEWAY)), True)
    mapping.format(KIND_GATEWAY, 0, now_ns)
    return mapping


def attach(name: str, kind: int, *, boot_id: int | None = None, writable: bool = False) -> Mapping:
    """Map an existing segment after checking its header, size and owner.

    Raises:
        SegmentError: no such segment, or wrong mode, owner, magic, version, size or boot id.
    """
    descriptor = _open(name, writable)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise SegmentError(
                f"{name}: belongs to uid {status.st_uid}; run as the user that runs the server"
            )
        if stat.S_IMODE(status.st_mode) != MODE:
            raise SegmentError(
                f"{name}: mode is {stat.S_IMODE(status.st_mode):04o}, expected {MODE:04o}: "
                "another program changed it; restart the server"
            )
        if status.st_size < segment_size(KIND_STORE):
            raise SegmentError(f"{name}: {status.st_size} bytes is too short; restart the server")
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        mapping = Mapping(mmap.mmap(descriptor, status.st_size, access=access), writable)
    except OSError as error:
        raise SegmentError(f"{name}: cannot be mapped ({error.strerror})") from error
    finally:
        os.close(descriptor)
    try:
        mapping.check(kind, boot_id)
    except SegmentError as error:
        del mapping  # a traceback that a caller keeps would keep it mapped
        raise SegmentError(f"{name}: {error}") from None
    return mapping


def _open(name: str, writable: bool) -> int:
    try:
        if name in _kept:
            flags = os.O_RDWR if writable else os.O_RDONLY
            return os.open(f"/proc/self/fd/{_kept[name]}", flags | os.O_CLOEXEC)
        return int(posix_ipc.SharedMemory(name, read_only=not writable).fd)
    except posix_ipc.ExistentialError:
        raise SegmentError(f"{name}: no such segment; is `ticker serve` running?") from None
    except posix_ipc.PermissionsError:
        raise SegmentError(f"{name}: not yours; run as the user that runs the server") from None
    except (OSError, ValueError) as error:
        raise SegmentError(f"{name}: cannot be opened ({error})") from None


_kept: dict[str, int] = {}


def keep(name: str) -> None:
    """Keep a descriptor of a segment in this process and those that it forks. They can then attach
    it even when its name is gone, as at a logout with RemoveIPC=yes (logind.conf).

    Raises:
        SegmentError: as `attach`.
    """
    _kept[name] = _open(name, writable=True)


def forget(name: str) -> None:
    """Close the descriptor that was kept of a segment: who attaches its name now gets what is
    there."""
    if name in _kept:
        os.close(_kept.pop(name))


def let_go() -> None:
    """Close all descriptors that were kept."""
    while _kept:
        os.close(_kept.popitem()[1])


def remove(name: str) -> bool:
    """Unlink a segment, or the private folder; False if it is already gone. Existing mappings stay
    valid.

    Raises:
        SegmentError: it belongs to another user.
    """
    try:
        if name.endswith(".private"):
            return _remove_folder(SHM_FOLDER / name.lstrip("/"))
        posix_ipc.unlink_shared_memory(name)
    except posix_ipc.ExistentialError:
        return False
    except (posix_ipc.PermissionsError, OSError) as error:
        raise SegmentError(f"{name}: cannot be removed ({error}); it is another user's") from None
    return True


def _remove_folder(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is no folder of ours")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return True


def leftovers(instance: str) -> list[str]:
    """Names of the segments that an earlier run of `instance` left behind."""
    return sorted(f"/{path.name}" for path in SHM_FOLDER.glob(f"ticker.{glob.escape(instance)}.*"))


def _create(name: str, size: int) -> Mapping:
    try:
        shared = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=MODE)
    except posix_ipc.ExistentialError:
        raise SegmentError(
            f"{name}: exists already; another server runs under this instance name"
        ) from None
    except (posix_ipc.PermissionsError, OSError, ValueError) as error:
        raise SegmentError(f"{name}: cannot be created ({error})") from None
    try:
        os.fchmod(shared.fd, MODE)
        os.posix_fallocate(shared.fd, 0, size)
        return Mapping(mmap.mmap(shared.fd, size), True)
    except BaseException as error:
        posix_ipc.unlink_shared_memory(name)
        if not isinstance(error, OSError | OverflowError):
            raise
        raise SegmentError(
            f"{name}: cannot back {size} bytes of shared memory ({error}); "
            "lower `rows` or `ring_capacity`, or enlarge /dev/shm"
        ) from error
    finally:
        shared.close_fd()
