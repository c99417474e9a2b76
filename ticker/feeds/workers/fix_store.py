"""The sequence numbers of a FIX session, in a plain file that survives a crash at any moment.

    line 1      the session: `FIX.4.4 SENDER TARGET`
    line 2, 3   generation, next sequence out, next sequence in, CRC-32 of these

The two slots are written in turn, so a crash damages at most one of them. The slot with the
greatest generation and a right CRC counts. Every line is WIDTH bytes long. Written numbers survive
the death of the process without fsync; `sync` makes them survive that of the machine.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path

from ticker.errors import FeedError

WIDTH = 128


class SequenceStore:
    """Opens or creates the file at `path` for one session, and locks it.

    Raises:
        FeedError: in use, of another session, damaged, or not to be opened.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.next_out = 1
        self.next_in = 1
        self._generation = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FeedError(
                f"{path}: cannot be opened ({error.strerror}); set feeds.fix.sequence_file"
            ) from None
        try:
            self._open(identity)
        except BaseException:
            os.close(self._file)
            raise

    def _open(self, identity: str) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FeedError(f"{self.path}: in use by another session; stop that one") from None
        head = _line(identity)
        text = os.pread(self._file, 3 * WIDTH, 0)
        if len(text) <= WIDTH and head.startswith(text):
            # New, or its creator died before it wrote a number.
            os.pwrite(self._file, head, 0)
            self.save(1, 1)
            self.sync()
            return
        if text[:WIDTH] != head:
            whose = text[:WIDTH].decode("ascii", "replace").strip()
            raise FeedError(f"{self.path}: is of {whose[:80]!r}, not {identity!r}; name another")
        slots = [slot for at in (1, 2) if (slot := _read(text[at * WIDTH : (at + 1) * WIDTH]))]
        if not slots:
            raise FeedError(f"{self.path}: damaged; remove it to start over at 1")
        self._generation, self.next_out, self.next_in = max(slots)

    def save(self, next_out: int, next_in: int) -> None:
        """Write both numbers, if they changed."""
        if self._generation and (next_out, next_in) == (self.next_out, self.next_in):
            return
        self._generation += 1
        self.next_out = next_out
        self.next_in = next_in
        text = f"{self._generation} {next_out} {next_in}"
        slot = _line(f"{text} {zlib.crc32(text.encode()):08x}")
        os.pwrite(self._file, slot, WIDTH * (1 + self._generation % 2))

    def sync(self) -> None:
        """Sync the file to the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        self.sync()
        os.close(self._file)


def _line(text: str) -> bytes:
    line = text.encode("ascii", "replace").ljust(WIDTH - 1)
    if len(line) >= WIDTH:
        raise FeedError(f"{text[:80]!r}: names too long for a sequence file")
    return line + b"\n"


def _read(line: bytes) -> tuple[int, int, int] | None:
    """Generation, next out, next in of a slot; None: cut or never written."""
    words = line.decode("ascii", "replace").split()
    if len(words) != 4 or not all(word.isdigit() for word in words[:3]):
        return None
    if f"{zlib.crc32(' '.join(words[:3]).encode()):08x}" != words[3]:
        return None
    return int(words[0]), int(words[1]), int(words[2])
