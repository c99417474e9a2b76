"""The recorder: one thread follows the rings, another waits for the disk.

No feed and no gateway ever waits for it, and no fault of the disk ends it. While the disk fails,
events wait in memory up to a bound; then the oldest are dropped and counted. Records that the rings
overwrite before they are read are counted, too. The recording has an event for each.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import structlog

from ticker.clock import Clock, now_ns
from ticker.errors import StoreError
from ticker.record.files import PARQUET, Recorded, mend, recorded
from ticker.record.packets import PacketTape
from ticker.record.tape import Tape
from ticker.shm.counters import Counters

log = structlog.get_logger()

POLL = 0.05
"""s between two looks into the rings: they hold more than comes in that time."""
LOOK = 1.0
"""s between two looks at all rows."""
TURN = 0.2
"""s between two tries to write."""
SAY_AGAIN = 60.0
"""s between two lines about the same fault."""
ADVICE = {
    errno.ENOSPC: "make room on the disk of the recording, or record to another folder",
    errno.EDQUOT: "raise the quota of this user, or record to another folder",
    errno.EROFS: "mount the disk of the recording writable, or record to another folder",
    errno.EACCES: "give this user the folder of the recording",
    errno.EPERM: "give this user the folder of the recording",
}


class Recorder:
    """Records the feeds of `tapes`, all into one folder.

    Args:
        max_bytes: limit of all files in the folder; beyond it the oldest are deleted.
        interval: s between two commits.
        counters: RecorderCounter of the recorder's segment, or None.

        Attributes:
        failing: the file that cannot be written now, with the reason.
        faults: number of failed writes.
    """

    def __init__(
        self,
        tapes: Sequence[Tape | PacketTape],
        folder: Path,
        *,
        max_bytes: int,
        interval: float,
        counters: Counters | None = None,
        clock: Clock = now_ns,
    ) -> None:
        self.tapes = tuple(tapes)
        self.folder = folder
        self.max_bytes = max_bytes
        self.interval = interval
        self.counters = counters
        self.clock = clock
        self.failing: dict[str, str] = {}
        self.faults = self.removed = self.disk_bytes = 0
        self._said: dict[str, float] = {}
        self._mended: set[Tape | PacketTape] = set()
        self._locks: dict[Tape | PacketTape, int] = {}
        self._due = threading.Event()
        self._fault: BaseException | None = None

    def serve(self, stop: threading.Event) -> None:
        """Record until `stop` is set, and write all gathered events before returning.

        Raises:
            RuntimeError: the thread that writes has failed.
        """
        writer = threading.Thread(target=self._write_until, args=(stop,), daemon=True)
        writer.start()
        looked = committed = time.monotonic()
        while not stop.wait(POLL) and self._fault is None:
            now = time.monotonic()
            if now - looked >= LOOK:
                looked = now
                for tape in self.tapes:
                    tape.look()
            for tape in self.tapes:
                tape.gather()
            if now - committed >= self.interval:
                committed = now
                self._take()
        for tape in self.tapes:
            tape.look()
            tape.gather(whole=True)
            tape.take(last=True)
        stop.set()
        writer.join()
        if self._fault is not None:
            raise RuntimeError("the thread that writes the recording has failed") from self._fault
        self.turn(last=True)
        for guard in self._locks.values():
            os.close(guard)

    def _take(self) -> None:
        for tape in self.tapes:
            tape.take()
        self._due.set()

    def _write_until(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(TURN):
                self.turn()
        except BaseException as error:
            self._fault = error
            raise

    def turn(self, *, last: bool = False) -> None:
        """Write the waiting events to the disk; in the `last` turn, close the files."""
        due = self._due.is_set()
        self._due.clear()
        for tape in self.tapes:
            self._try(f"events of {tape.feed}", partial(self._write, tape, due=due, last=last))
        with contextlib.suppress(StoreError):
            self.disk_bytes = sum(size for _, size in sizes(self.folder))
        self._count()

    def _write(self, tape: Tape | PacketTape, *, due: bool, last: bool) -> None:
        if tape not in self._mended:
            self._mend(tape)
        if tape.waiting:
            self._make_room()
            tape.write()
        if last:
            tape.close()
        elif due:
            tape.commit()
        if due or last:
            self._make_room()

    def _mend(self, tape: Tape | PacketTape) -> None:
        """Open the files of a feed, and repair those that a killed recorder left unfinished."""
        if tape not in self._locks:
            self._locks[tape] = lock(self.folder, f"{tape.feed}.{tape.suffix}")
        for each in recorded(self.folder, (tape.suffix,) if tape.suffix == PARQUET else ()):
            if each.feed == tape.feed and (cut := mend(each.path)):
                log.warning("an unfinished recording is mended", file=str(each.path), cut=cut)
        self._mended.add(tape)

    def _make_room(self) -> None:
        """Remove the oldest hours that nobody writes, until the rest is as small as is allowed.

        Raises:
            StoreError: the files that are being written are larger by themselves.
        """
        found = sorted(sizes(self.folder), key=lambda each: (each[0].hour, each[0].part))
        total = sum(size for _, size in found)
        written = {tape.file.path for tape in self.tapes if tape.file is not None}
        for each, size in found:
            if total <= self.max_bytes:
                return
            if each.path not in written:
                each.path.unlink(missing_ok=True)
                log.info("the oldest recording is removed", file=str(each.path))
                self.removed += 1
                total -= size
        if total > self.max_bytes:
            raise StoreError(
                f"{self.folder}: {total} bytes of this hour alone are more than the "
                f"{self.max_bytes} that max_gigabytes allows"
            )

    def _try(self, what: str, work: Callable[[], None]) -> None:
        """Do it; a fault of the disk is counted, said once a minute, and tried again next turn."""
        try:
            work()
        except (OSError, StoreError) as error:
            self.faults += 1
            code = getattr(error, "errno", None) or 0
            if self.counters is not None:
                self.counters.put("fault", code)
            now = time.monotonic()
            if what not in self.failing or now - self._said.get(what, 0.0) >= SAY_AGAIN:
                self._said[what] = now
                log.error(
                    "cannot be recorded",
                    what=what,
                    reason=str(error),
                    advice=ADVICE.get(code, "see the reason; prices are served meanwhile"),
                )
            self.failing[what] = str(error)
        else:
            if self.failing.pop(what, None):
                log.info("is recorded again", what=what)

    def _count(self) -> None:
        counters = self.counters
        if counters is None:
            return
        counters.put("events", sum(tape.events for tape in self.tapes))
        counters.put("lapped", sum(tape.lapped for tape in self.tapes))
        counters.put("dropped", sum(tape.dropped for tape in self.tapes))
        counters.put("written_bytes", sum(tape.written_bytes for tape in self.tapes))
        counters.put("files_removed", self.removed)
        counters.put("faults", self.faults)
        counters.put("failing", len(self.failing))
        counters.put("disk_bytes", self.disk_bytes)
        counters.put("cpu_ns", time.process_time_ns())
        if not self.failing:
            counters.put("written_time_ns", self.clock())


def sizes(folder: Path) -> Iterator[tuple[Recorded, int]]:
    """Each file of a recording with its bytes. Raises StoreError."""
    for each in recorded(folder, (PARQUET, PacketTape.suffix)):
        with contextlib.suppress(FileNotFoundError):
            yield each, each.path.stat().st_size


def lock(folder: Path, name: str) -> int:
    """A descriptor that makes this the only recorder of that name in a folder, while it is open:
    another one would cut its files.

    Raises:
        StoreError: there is another one.
        OSError: the folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    guard = os.open(folder / f".{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(guard)
        raise StoreError(
            f"{folder}: {name!r} is recorded there already; stop that recorder, or name another "
            "folder"
        ) from None
    return guard
