"""Last prices on the disk: a snapshot of each feed's rows, in two generations.

In: the feeds' segments, read-only. Out: `<folder>/last/<feed>.0` and `.1`. Owned by the store
worker; the supervisor reads the files at start.
"""

from __future__ import annotations

import errno
from pathlib import Path

from ticker.errors import StoreError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.store.disk.generations import Generations, make_folder
from ticker.store.snapshot import Contents, Image, NewerFormatError

FOLDER = "last"


class FeedSnapshots:
    """One feed's snapshots: finds the changes since the last one, and writes the next. `image`: of
    the rows of `mapping`; without it they have one of their own.

    Raises:
        StoreError: the folder cannot be made or is another user's, or a newer version of ticker
            wrote the files.
    """

    def __init__(
        self, mapping: Mapping, folder: Path, feed: str, image: Image | None = None
    ) -> None:
        make_folder(folder / FOLDER)
        self.files = Generations(folder / FOLDER, feed)
        self.image = image or Image(mapping, feed)
        self.number = self._reached(folder, feed)

    def take(self, now_ns: int) -> int:
        """Look at the rows, then `write`."""
        self.image.look()
        return self.write(now_ns)

    def write(self, now_ns: int) -> int:
        """Write a snapshot, as of the last look, if a row had moved since the last one that reached
        the disk; its bytes, 0: none was due.

        Raises:
            OSError: the disk did not take it. The next call tries again.
        """
        if not self.image.unsaved:
            return 0
        content = self.image.seal(self.number + 1, now_ns)
        self.files.write(self.number + 1, content)
        self.number += 1
        self.image.saved()
        return len(content)

    @staticmethod
    def _reached(folder: Path, feed: str) -> int:
        """The number of the newest snapshot; refuses to replace one of a newer version."""
        reached = 0
        for path in Generations(folder / FOLDER, feed).paths:
            try:
                if (content := Generations.read_one(path)) is None:
                    continue
                contents = Contents(content)
            except NewerFormatError as error:
                raise StoreError(f"{path}: {error}", errno.EPROTONOSUPPORT) from None
            except StoreError:
                continue  # read_snapshots has told of it; it is replaced
            if contents.feed == feed:
                reached = max(reached, contents.number)
        return reached


def contents_of(mapping: Mapping, feed: str) -> Contents:
    """The rows of a segment that nobody writes any more, as a snapshot of its writer's last
    moment."""
    heartbeat = Heartbeat(mapping)
    image = Image(mapping, feed)
    image.look()
    return Contents(bytes(image.seal(0, max(heartbeat.time_ns, heartbeat.restored_ns))))


def read_snapshots(folder: Path, feed: str) -> tuple[list[Contents], list[str]]:
    """A feed's readable snapshots, newest first, and the faults of the others."""
    found: list[Contents] = []
    faults: list[str] = []
    for path in Generations(folder / FOLDER, feed).paths:
        try:
            content = Generations.read_one(path)
            if content is None:
                continue
            contents = Contents(content)
            if contents.feed != feed:
                raise StoreError(f"a snapshot of feed {contents.feed!r}")
        except StoreError as error:
            faults.append(f"{path}: {error}" if str(path) not in str(error) else str(error))
            continue
        found.append(contents)
        if contents.damaged:
            rows = sum(rows for _, rows in contents.damaged)
            faults.append(f"{path}: {rows} of {contents.rows} rows are damaged")
    found.sort(key=lambda contents: contents.number, reverse=True)
    return found, faults
