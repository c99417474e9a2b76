"""The wish that the messages of some symbols are kept: a file that `ticker lineage --trace` writes.

Law: the file is replaced as a whole, and only a file of this user is believed. Feed workers look at
it once a second. A wish ends by itself.

    /dev/shm/ticker.<instance>.private/traced        JSON: {symbol: until, ns since the epoch}
    /dev/shm/ticker.<instance>.private/trace.<feed>  the messages (shm/lineage/traces.pxd)
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ticker.shm.segment import private_folder, put_private

MOST_SYMBOLS = 16
"""That are traced at a time."""


def trace(instance: str, symbol: str, until_ns: int, now_ns: int) -> list[str]:
    """Have a symbol traced until then; the symbols that are traced now, the newest wish last.

    Raises:
        SegmentError: something that is not ours has the name of the folder.
        OSError: the file cannot be written.
    """
    before = traced(instance)
    wishes = {name: until for name, until in before.items() if until > now_ns and name != symbol}
    wishes[symbol] = until_ns
    kept = dict([*wishes.items()][-MOST_SYMBOLS:])
    put_private(wish_path(instance), msgspec.json.encode(kept))
    return [*kept]


def traced(instance: str) -> dict[str, int]:
    """By symbol the end of the wish, ns since the epoch."""
    try:
        with wish_path(instance).open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return {}
            return msgspec.json.decode(file.read(), type=dict[str, int])
    except (OSError, msgspec.DecodeError):
        return {}


def wish_path(instance: str) -> Path:
    """The file of the wish."""
    return private_folder(instance) / "traced"


def messages_path(instance: str, feed: str) -> Path:
    """The file of a feed's messages."""
    return private_folder(instance) / f"trace.{feed}"
