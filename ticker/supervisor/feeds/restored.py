"""Last prices into the segments, before the first worker starts.

In: the rows that the previous run left in shared memory (left_behind.py), or its snapshot files.
Out: rows in fresh segments, each marked stale. A damaged or missing file loses prices, but never
    prevents the start.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from ticker.config import FeedConfig, session_date
from ticker.errors import StoreError
from ticker.feeds.day import midnight_ns, session_day
from ticker.shm.header import Mapping
from ticker.store.last import read_snapshots
from ticker.store.restore import Restored, restore
from ticker.store.snapshot import Contents

SECOND = 1_000_000_000
MINUTE = 60
DAY = 86_400 * SECOND


def restore_feed(
    mapping: Mapping,
    feed: FeedConfig,
    folder: Path | None,
    now_ns: int,
    symbol_days: int,
    left: Contents | None = None,
) -> Restored:
    """Restore a feed's last prices into its segment; faults of the files are logged.

    Args:
        mapping: the feed's fresh, writable segment.
        folder: of the store; None where nothing is kept.
        symbol_days: a symbol that did not move for so many days is left out.
        left: what the previous run left in shared memory. It is taken, unless a snapshot of another
            run was made when no worker wrote there any more.
    """
    log = structlog.get_logger()
    day = session_date(feed, session_day(now_ns, feed.timezone))
    try:
        contents, faults = read_snapshots(folder, feed.name) if folder else ([], [])
        in_memory = left is not None and (not contents or _is_as_new(left, contents[0]))
        if left is not None and in_memory:
            contents, faults = [left, *contents], []
        done = restore(
            mapping,
            contents,
            midnight=midnight_ns(day, feed.timezone),
            oldest_ns=now_ns - symbol_days * DAY,
            now_ns=now_ns,
            max_ahead_ns=_most_ahead(feed.filter.max_ahead),
        )
    except (OSError, StoreError) as error:
        log.error("last prices not restored", feed=feed.name, reason=str(error))
        return Restored()
    for fault in faults:
        log.error("a snapshot cannot be read", feed=feed.name, reason=fault)
    if contents:
        log.info(
            "last prices restored",
            feed=feed.name,
            source="shared memory" if in_memory else "disk",
            rows=done.rows,
            age=round((now_ns - done.created_ns) / 1e9, 1),
            new_day=done.rolled,
            ahead=done.ahead,
            too_old=done.too_old,
            no_room=done.no_room,
            damaged=done.damaged,
        )
    return done


def _most_ahead(max_ahead: float) -> int:
    """How far ahead of now a restored time may be, ns, as for the filter; 0: the rule is off."""
    return int((max_ahead + MINUTE) * SECOND) if max_ahead else 0


def _is_as_new(left: Contents, snapshot: Contents) -> bool:
    """Whether rows in memory are at least as new as a snapshot. A snapshot of the same run is a
    copy of that memory. One of another run is newer only if it was made after the last sign of
    life of the memory's writer."""
    same_run = left.boot == snapshot.boot != 0
    return same_run or left.created_ns >= snapshot.created_ns
