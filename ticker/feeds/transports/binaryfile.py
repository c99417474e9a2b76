"""Files that are one stream of bytes: BinaryFILE days, plain or gzip, in large chunks."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from ticker.clock import Clock, now_ns
from ticker.errors import FeedError

CHUNK = 256 * 1024
"""Bytes per read: enough to make reads cheap, few enough to stay in the cache."""

GZIP_MAGIC = b"\x1f\x8b"


def blocks(path: Path, clock: Clock = now_ns) -> Iterator[tuple[bytes, int, int]]:
    """(bytes, receive time, line) of each chunk; the receive time is when it was read.

    Raises:
        FeedError: the file cannot be read, or is a damaged gzip file.
    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if compressed else raw
            while chunk := file.read(CHUNK):
                yield chunk, clock(), 0
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise FeedError(f"{path}: cannot be read ({reason}); is it whole?") from None
