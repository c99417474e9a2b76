"""Files of FIX frames: a raw stream, an engine's message log, or frames printed with `|` for SOH.

The session skips everything between the frames (times of a log, line ends, JSON around them).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ticker.clock import Clock, now_ns
from ticker.feeds.transports.binaryfile import blocks as chunks

SOH = b"\x01"


def blocks(path: Path, clock: Clock = now_ns) -> Iterator[tuple[bytes, int, int]]:
    """(bytes, receive time, line) of each chunk.

    Raises:
        FeedError: the file cannot be read.
    """
    printed: bool | None = None
    for chunk, receive_time, line in chunks(path, clock):
        if printed is None:
            printed = SOH not in chunk and b"|" in chunk
        yield chunk.replace(b"|", SOH) if printed else chunk, receive_time, line
