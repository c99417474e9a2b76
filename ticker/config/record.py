"""[record] of ticker.toml: the settings of the recorder, which writes every event to the disk.

Law: a message starts with the key within the table, says what is wrong, and gives a value that
works.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Name, Section
from ticker.config.store import AUTO, StoreConfig, store_folder


class RecordConfig(Section, frozen=True, kw_only=True):
    """The recorder of a server. `feeds`: their names, none: all of them; `interval`: seconds of
    events that a kill loses at most; `max_gigabytes`: of all its files, then the oldest hours go.
    """

    enabled: bool = False
    folder: str = AUTO
    feeds: tuple[Name, ...] = ()
    interval: Annotated[float, Meta(ge=0.1, le=3600)] = 30.0
    max_gigabytes: Annotated[float, Meta(gt=0, le=1_000_000)] = 20.0

    @property
    def max_bytes(self) -> int:
        return int(self.max_gigabytes * 1e9)


def record_folder(
    record: RecordConfig, instance: str, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder of an instance's recordings; None if it makes none.

    "auto" is the folder `record` beside the store's files, even if the store is off.
    """
    if not record.enabled:
        return None
    if record.folder != AUTO:
        return Path(record.folder).expanduser()
    kept = store_folder(StoreConfig(), instance, environment)
    assert kept is not None, "it is on by default"
    return kept / "record"


def record_problems(record: RecordConfig, feeds: tuple[str, ...]) -> Iterator[str]:
    """The faults of the table; `feeds` are the names of all feeds."""
    if not record.folder:
        yield f'record.folder: empty; name a folder, or "{AUTO}", or set enabled = false'
    for index, name in enumerate(record.feeds):
        if name not in feeds:
            known = ", ".join(feeds) or "none"
            yield f"record.feeds[{index}]: there is no feed {name!r}; known: {known}"
