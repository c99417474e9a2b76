"""Two files in turn: a snapshot always replaces the older one, never the only good one.

In: the bytes of a snapshot. Out: a complete file on the disk, or the one before. Owned by
the store worker; the supervisor reads them at start.

A file is written beside its place, synced, renamed over the older of the two, and the folder is
synced. A crash at any moment leaves the newer of the two as it was.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from ticker.errors import StoreError

MODE = 0o600
BLOCK = 4096
"""Bytes of a block of the disk, or a multiple of them."""
LARGE = 1 << 20
"""Bytes from which on a file is written past the page cache."""
MOST_BYTES = 4 << 30
"""A larger file is not one of ours."""


class Generations:
    """The snapshots of one feed: `<folder>/<name>.0` and `.1`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name

    @property
    def paths(self) -> tuple[Path, Path]:
        return self.folder / f"{self.name}.0", self.folder / f"{self.name}.1"

    def write(self, number: int, content: memoryview | bytes) -> None:
        """Write snapshot `number` to the disk, in place of the older file.

        Raises:
            OSError: the disk is full, read-only or gone. Both files are as they were.
        """
        beside = self.folder / f"{self.name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(beside, flags, MODE)
        try:
            left = memoryview(content)
            if len(left) >= LARGE:
                left = _write_directly(fd, left)
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)  # noqa: PTH108 - all calls to the disk are of one module
            raise
        finally:
            os.close(fd)
        os.rename(beside, self.paths[number & 1])  # noqa: PTH104
        sync_folder(self.folder)

    @staticmethod
    def read_one(path: Path) -> bytes | None:
        """The bytes of one of `paths`, None: there is no such file.

        Raises:
            StoreError: it cannot be read, or is not a file of this user.
        """
        try:
            return read_own(path)
        except FileNotFoundError:
            return None


def _write_directly(fd: int, left: memoryview) -> memoryview:
    """Write whole blocks from this memory to the disk, past the page cache: to copy them there, and
    to free those pages with each snapshot, is most of what a snapshot costs. What is left: all of
    it where the file system, or the place of the bytes in memory, does not allow that."""
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
    except OSError:
        return left
    try:
        while len(left) >= BLOCK:
            left = left[os.write(fd, left[: len(left) // BLOCK * BLOCK]) :]
    except OSError:
        pass  # the plain write that follows says what is wrong, if anything is
    finally:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    return left


def read_own(path: Path) -> bytes:
    """The bytes of a regular file that belongs to this user.

    Raises:
        FileNotFoundError: there is none.
        StoreError: it cannot be read, or belongs to another user.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); {ADVICE}") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path}: is no file; {ADVICE}")
        require_own(path, status)
        if status.st_size > MOST_BYTES:
            raise StoreError(f"{path}: {status.st_size} bytes are too many; {ADVICE}")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); {ADVICE}") from None
    finally:
        os.close(fd)


ADVICE = "give this user the folder of [store], or name another folder"


def make_folder(path: Path) -> None:
    """A private folder, with its parents.

    Raises:
        StoreError: it cannot be made, or belongs to another user.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        reason = f"{path}: cannot be created ({error.strerror}); {ADVICE}"
        raise StoreError(reason, error.errno or 0) from None
    require_own(path, status)


def require_own(path: Path, status: os.stat_result) -> None:
    """Raises StoreError: the file or folder belongs to another user."""
    if status.st_uid != os.geteuid():
        raise StoreError(f"{path}: belongs to uid {status.st_uid}; {ADVICE}", errno.EACCES)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def disk_bytes(folder: Path) -> int:
    """Bytes of all files of the store. A file that disappears meanwhile counts 0."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def months_in(folder: Path) -> list[str]:
    """The months that have a file in the folder, oldest first, like "2026-11"."""
    return sorted(path.name.removesuffix(".sqlite") for path in folder.glob("????-??.sqlite"))


def which_file(path: Path) -> tuple[int, int] | None:
    """Which file has this name; None: none that can be looked at."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
