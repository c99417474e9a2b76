"""The two files of a feed's images: the older one is written over, the newer one is kept meanwhile.

Law: a file whose head is zeroed is no image. The head is written last. Files stay as long as they
get, so that their memory is not given back and cleared each time; they live in a folder in memory
that nobody else can enter, and go with it.

    /dev/shm/ticker.<instance>.private/image.<segment>.0 and .1
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from ticker import __version__
from ticker.config import FeedConfig
from ticker.errors import FeedError
from ticker.feeds.images.image import Image
from ticker.feeds.images.places import Places, places_path
from ticker.shm.layout import LAYOUT_VERSION

log = structlog.get_logger()

HEAD_BYTES = 4096
MODE = 0o600


def image_paths(folder: Path, segment: str) -> tuple[Path, Path]:
    """The files of the feed that has this segment."""
    name = f"image.{segment.lstrip('/')}"
    return folder / f"{name}.0", folder / f"{name}.1"


def remove_images(folder: Path, segment: str) -> None:
    """The feed is no more."""
    for path in (*image_paths(folder, segment), places_path(folder, segment)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def fingerprint_of(config: FeedConfig) -> int:
    """A number of a feed's configuration and of this code: images of another are refused."""
    said = repr((msgspec.to_builtins(config), LAYOUT_VERSION, __version__)).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")


class ImageFiles:
    """The images of one feed, of this run of the server and this configuration."""

    def __init__(self, folder: Path, segment: str, boot_id: int, config: FeedConfig) -> None:
        self.feed = config.name
        self.paths = image_paths(folder, segment)
        self.places_path = places_path(folder, segment)
        self.boot_id = boot_id
        self.fingerprint = fingerprint_of(config)
        self._written = -1
        """The index of the newest file."""
        self._file = -1
        self._at = 0

    def open_places(self) -> Places | None:
        """The places of the feed's streams; None: no room for them, so it has no images."""
        try:
            return Places(self.places_path)
        except (OSError, FeedError) as error:
            log.warning(
                "places of the feed's streams cannot be kept",
                feed=self.feed,
                file=str(self.places_path),
                reason=str(error),
                advice="give /dev/shm room; a worker that is killed begins anew until then",
            )
            return None

    def newest(self, session: bytes, sequence: int, midnight: int, rows: int) -> Image | None:
        """The newest image of a session at or before a sequence, of this day, with at most so many
        rows. One that is of no use is named in the log."""
        found = [(image.sequence, index, image) for index, image in self._readable(session)]
        for each, index, image in sorted(found, key=lambda one: one[:2], reverse=True):
            if each <= sequence and image.midnight == midnight and image.rows <= rows:
                self._written = index
                return image
        return None

    def _readable(self, session: bytes) -> Iterator[tuple[int, Image]]:
        for index, path in enumerate(self.paths):
            try:
                image = self._read(path)
            except FileNotFoundError:
                continue
            except (OSError, FeedError, ValueError) as error:
                log.warning("image is not used", feed=self.feed, file=str(path), reason=str(error))
                continue
            if image.session == session:
                yield index, image

    def _read(self, path: Path) -> Image:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise FeedError("it is another user's file")
            content = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        if not any(content[:8]):
            raise FileNotFoundError
        return Image(content, self.boot_id, self.fingerprint)

    def begin(self) -> None:
        """Write over the older file. Raises OSError."""
        self.abandon()
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self.paths[self._written == 0], flags, MODE)
        os.pwrite(self._file, bytes(HEAD_BYTES), 0)
        self._at = HEAD_BYTES

    def write(self, content: memoryview) -> None:
        """The next bytes behind the head. Raises OSError: no room in memory, for instance."""
        while content:
            written = os.pwrite(self._file, content, self._at)
            self._at += written
            content = content[written:]

    def finish(self, head: bytes) -> None:
        """All is there: from now on this is the newest image. Raises OSError."""
        os.pwrite(self._file, head, 0)
        self._written = int(self._written == 0)
        self.abandon()

    def abandon(self) -> None:
        """This image will not be finished."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Give the memory back."""
        self.abandon()
        self._written = -1
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
