"""Rows that an earlier run of the instance left in shared memory.

In: the feeds' segments of a server that was killed, or whose store could not write at the end. Out:
their rows as the contents of a snapshot. They are newer than any snapshot on the disk, and whole: a
row has one whole copy at every instant, whenever its writer dies (shm/table.pxd).

A segment does not say to which store it belongs. A server with another folder, or with one that
was emptied to begin anew, must not get the rows. So the folder has a file with a random mark, and a
segment without content has this mark in its name.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import structlog

from ticker.errors import SegmentError, StoreError
from ticker.shm import segment
from ticker.shm.header import KIND_FEED
from ticker.store.disk.generations import make_folder, read_own
from ticker.store.last import FOLDER, contents_of
from ticker.store.snapshot import Contents

MARK = "mark"
UNMARKED = "unmarked"
"""The mark of a folder that takes no file."""


class LeftBehind:
    """The segments that a run left behind, as far as they belong to the store of this one.

    Attributes:
        marker: name of the segment that says to which store the feeds' segments belong; empty
            where nothing is kept.
        names: the segments that are still of use.
    """

    def __init__(self, instance: str, folder: Path | None) -> None:
        self.instance = instance
        self.marker = ""
        self.names: frozenset[str] = frozenset()
        if folder is None:
            return
        mark, fresh = mark_of(folder)
        self.marker = segment.marker_name(instance, mark)
        known = {self.marker, segment.marker_name(instance, UNMARKED)} if fresh else {self.marker}
        there = set(segment.leftovers(instance))
        if known & there:
            self.names = frozenset(known & there | feed_segments(instance))

    def contents(self, feed: str) -> Contents | None:
        """The rows that were left of a feed; None if there are none that can be read."""
        name = segment.feed_name(self.instance, feed)
        if name not in self.names:
            return None
        try:
            return contents_of(segment.attach(name, KIND_FEED), feed)
        except (SegmentError, StoreError) as error:
            structlog.get_logger().error(
                "rows in shared memory not restored", feed=feed, reason=str(error)
            )
            return None


def feed_segments(instance: str) -> set[str]:
    """Names of all whole feed segments of an instance."""
    return {name for name in segment.leftovers(instance) if _is_feed(name)}


def _is_feed(name: str) -> bool:
    try:
        segment.attach(name, KIND_FEED)
    except SegmentError:
        return False
    return not name.endswith(segment.UNFINISHED)


def mark_of(folder: Path) -> tuple[str, bool]:
    """The mark of a store's folder, and whether it had none before."""
    path = folder / FOLDER / MARK
    try:
        found = read_own(path).decode("ascii", "replace")
        if re.fullmatch("[0-9a-f]{16}", found):
            return found, False
    except (FileNotFoundError, StoreError):
        pass
    mark = secrets.token_hex(8)
    try:
        make_folder(path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, segment.MODE), "wb") as file:
            file.write(mark.encode())
    except (OSError, StoreError):  # the store worker will say so
        return UNMARKED, True
    return mark, True
