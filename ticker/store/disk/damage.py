"""SQLite files that are damaged, or that another program wrote over: noticed, and set aside.

In: the path of a file. Out: what is wrong with it, and where it is afterwards. Owned by the writer
of the file. SQLite reads a page once and keeps it, so without a look at the files a writer would
notice damage at its next start only.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ticker.errors import StoreError

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
MOVE_AWAY = "move the file away, and a new one is begun"
UNREADABLE = "unsupported file format"
"""SQLite's words for a damaged head that it gives no number of its own."""
KINDS = {
    **dict.fromkeys(DAMAGED, errno.EUCLEAN),
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
"""SQLite's kinds of faults as errno."""
BESIDE = ("", "-wal", "-shm")
"""What a file's name is followed by in those that belong to it."""
LOOK_SECONDS = 1.0
"""A large file is looked through for so long; damage behind that shows when it is read."""
STEPS = 1000
"""Of SQLite's virtual machine, between two looks at the clock."""
KEPT = 3
"""Files that were set aside and stay; older ones are deleted."""

Mark = tuple[tuple[int, int, int] | None, ...]


def code_of(error: BaseException) -> int:
    """SQLite's number of an error, without the details."""
    number: int = getattr(error, "sqlite_errorcode", 0)
    return sqlite3.SQLITE_NOTADB if str(error) == UNREADABLE else number & 0xFF


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = code_of(error)
        advice = f"; {MOVE_AWAY}" if code in DAMAGED else ""
        raise StoreError(f"{path}: {error}{advice}", KINDS.get(code, 0)) from error


def mark_of(path: Path) -> Mark:
    """The file and its log as the file system knows them. Each write of any program changes it."""
    return tuple(_mark(path.with_name(path.name + suffix)) for suffix in BESIDE[:2])


def _mark(path: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None


def damage_of(path: Path) -> str | None:
    """What is wrong with a file, None: nothing was found in LOOK_SECONDS.

    Raises:
        StoreError: it cannot be read.
    """
    end = time.monotonic() + LOOK_SECONDS
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)) as file:
            file.set_progress_handler(lambda: time.monotonic() >= end, STEPS)
            found: str = file.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        code = code_of(error)
        if code in DAMAGED:
            return str(error)
        if code == sqlite3.SQLITE_INTERRUPT:
            return None
        raise StoreError(f"{path}: {error}", KINDS.get(code, 0)) from error
    return None if found == "ok" else found.replace("\n", " ")


def set_aside(path: Path) -> Path:
    """Rename a file, with those that belong to it, so that a new one can be begun in its place; its
    new path.

    Raises:
        StoreError: it cannot be renamed.
    """
    start = f"{path.name}.damaged-"
    numbers = (each.name.removeprefix(start) for each in path.parent.glob(f"{start}*"))
    before = sorted(int(number) for number in numbers if number.isdigit())
    target = path.with_name(f"{start}{before[-1] + 1 if before else 1}")
    try:
        for suffix in BESIDE:
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(target.with_name(target.name + suffix))
        for number in before[: 1 - KEPT]:
            for suffix in BESIDE:
                path.with_name(f"{start}{number}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        reason = f"{path}: is damaged and cannot be renamed ({error.strerror}); {MOVE_AWAY}"
        raise StoreError(reason, errno.EUCLEAN) from None
    return target
