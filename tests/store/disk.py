"""A disk that forgets at a power loss what was not synced.

It stands between the code under test and a folder in memory: it records each call of `os`, and
gives every state in which a crash after any of them may leave the folder.
"""

from __future__ import annotations

import errno
import itertools
import os as real_os
from typing import Any


class Disk:
    """Takes the place of `os` in a module. Names are durable after a sync of the folder, bytes
    after a sync of the file; before that a crash may keep them, lose them, or keep a part."""

    O_WRONLY, O_CREAT, O_TRUNC = real_os.O_WRONLY, real_os.O_CREAT, real_os.O_TRUNC
    O_NOFOLLOW, O_CLOEXEC = real_os.O_NOFOLLOW, real_os.O_CLOEXEC
    O_RDONLY, O_DIRECTORY = real_os.O_RDONLY, real_os.O_DIRECTORY

    def __init__(self, *, most_bytes: int = 1 << 40) -> None:
        self.most_bytes = most_bytes
        self.files: list[bytearray] = []
        self.synced: list[bytes] = []
        self.names: dict[str, int] = {}  # as the running system sees them
        self.durable: list[dict[str, int]] = [{}]  # any of these may be there after a crash
        self.open_files: dict[int, int | None] = {}
        self.crashes: list[dict[str, bytes]] = []
        self._next = itertools.count(100)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        assert mode == 0o600 or flags & self.O_DIRECTORY, "files are private"
        number = next(self._next)
        if flags & self.O_DIRECTORY:
            self.open_files[number] = None
        else:
            assert flags & self.O_TRUNC
            self.files.append(bytearray())
            self.synced.append(b"")
            self._name({**self.names, str(path): len(self.files) - 1})
            self.open_files[number] = len(self.files) - 1
        self._may_crash()
        return number

    def write(self, fd: int, content: memoryview) -> int:
        file = self.open_files[fd]
        assert file is not None
        if sum(map(len, self.files)) + len(content) > self.most_bytes:
            raise OSError(errno.ENOSPC, real_os.strerror(errno.ENOSPC))
        taken = bytes(content[: max(1, len(content) // 2)])
        self.files[file] += taken
        self._may_crash()
        return len(taken)

    def fsync(self, fd: int) -> None:
        file = self.open_files[fd]
        if file is None:
            self.durable = [dict(self.names)]
        else:
            self.synced[file] = bytes(self.files[file])
        self._may_crash()

    def close(self, fd: int) -> None:
        del self.open_files[fd]

    def rename(self, source: Any, target: Any) -> None:
        names = dict(self.names)
        names[str(target)] = names.pop(str(source))
        self._name(names)
        self._may_crash()

    def unlink(self, path: Any) -> None:
        self._name({name: file for name, file in self.names.items() if name != str(path)})

    def geteuid(self) -> int:
        return real_os.geteuid()

    def _name(self, names: dict[str, int]) -> None:
        self.names = names
        self.durable.append(dict(names))

    def _may_crash(self) -> None:
        """Every folder that a power loss now could leave."""
        for names in self.durable:
            for kept in range(3):
                self.crashes.append({name: self._left(file, kept) for name, file in names.items()})

    def _left(self, file: int, kept: int) -> bytes:
        synced, written = self.synced[file], bytes(self.files[file])
        if synced == written:
            return written
        return (synced, written[: len(written) // 3], written)[kept]
