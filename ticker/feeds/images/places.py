"""The places of a feed's streams, in a file that outlives the feed's worker.

In: a number for each stream, after each publication. Out: a successor knows what readers may have
seen of each stream. The worker owns the file; it lies beside the images, and goes with them.

Law: each word is written at once, and belongs to one stream, so a worker that is killed in between
leaves no half of one. The word behind them is how often a stream began again: an image of before is
of no use. No page of the file is missing when it is written to.

    /dev/shm/ticker.<instance>.private/places.<segment>
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from ticker.errors import FeedError

CHANNELS = 256
BYTES = 4096
MODE = 0o600


def places_path(folder: Path, segment: str) -> Path:
    """The file of the feed that has this segment."""
    return folder / f"places.{segment.lstrip('/')}"


class Places:
    """The file, mapped. Raises OSError: there is no room in memory; FeedError: not our file."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, MODE)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise FeedError("it is another user's file")
            os.posix_fallocate(descriptor, 0, BYTES)
            self._memory = mmap.mmap(descriptor, BYTES)
        finally:
            os.close(descriptor)
        self.words = memoryview(self._memory).cast("Q")
        """The numbers that streams 0 to 255 have reached, and then how often one began again."""

    @property
    def beginnings(self) -> int:
        """How often a stream began again."""
        return self.words[CHANNELS]

    def begin(self) -> None:
        """No predecessor's state is used: the streams begin anew."""
        self.words[CHANNELS] += 1
        for stream in range(CHANNELS):
            self.words[stream] = 0
