"""The outcome of the last reload: written by the supervisor, read by `ticker reload`.

Law: the file is replaced as a whole, and only a file of the right owner is believed. It is in the
instance's private folder, and is removed with it.

    /dev/shm/ticker.<instance>.private/reload    JSON, an Outcome
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ticker.errors import SegmentError
from ticker.shm.segment import private_folder, put_private


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One reload. `refused` has the reason if it changed nothing, else it is empty. `now` has the
    keys that took effect; `waits` has the changed keys that wait, by the event that they wait
    for."""

    number: int
    refused: str = ""
    now: tuple[str, ...] = ()
    waits: dict[str, tuple[str, ...]] = {}


def tell(instance: str, outcome: Outcome) -> None:
    """Write the outcome of a reload. If it cannot be written, the log says so."""
    path = _path(instance)
    try:
        put_private(path, msgspec.json.encode(outcome))
    except (OSError, SegmentError) as error:
        import structlog  # not at the top: commands beside a server would wait for it

        structlog.get_logger().warning("`ticker reload` cannot be answered", reason=str(error))


def last(instance: str) -> Outcome:
    """The outcome of the last reload; its number is 0 before the first one."""
    try:
        with _path(instance).open("rb") as file:
            if os.fstat(file.fileno()).st_uid == os.geteuid():
                return msgspec.json.decode(file.read(), type=Outcome)
    except (OSError, msgspec.DecodeError):
        pass
    return Outcome(number=0)


def _path(instance: str) -> Path:
    return private_folder(instance) / "reload"
