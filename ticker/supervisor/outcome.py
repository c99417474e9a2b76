"""What became of the last reload: told by the supervisor, read by `ticker reload`.

Law: the file is replaced as a whole, and only its owner's word is believed. It lies in the
instance's private folder, and goes with it.

    /dev/shm/ticker.<instance>.private/reload    JSON, an Outcome
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from ticker.errors import SegmentError
from ticker.shm.segment import private_folder, put_private


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One reload. `refused` says why it changed nothing, else it is empty; keys that have changed
    are in `now`, and in `waits` by what they wait for."""

    number: int
    refused: str = ""
    now: tuple[str, ...] = ()
    waits: dict[str, tuple[str, ...]] = {}


def tell(instance: str, outcome: Outcome) -> None:
    """Say what became of a reload; who cannot be told reads the log."""
    path = _path(instance)
    try:
        put_private(path, msgspec.json.encode(outcome))
    except (OSError, SegmentError) as error:
        structlog.get_logger().warning("`ticker reload` cannot be answered", reason=str(error))


def last(instance: str) -> Outcome:
    """The last reload's; its number is 0 before the first one."""
    try:
        with _path(instance).open("rb") as file:
            if os.fstat(file.fileno()).st_uid == os.geteuid():
                return msgspec.json.decode(file.read(), type=Outcome)
    except (OSError, msgspec.DecodeError):
        pass
    return Outcome(number=0)


def _path(instance: str) -> Path:
    return private_folder(instance) / "reload"
