"""The feeds that gateways are to read after a reload: a file that the supervisor writes.

Law: the file is replaced as a whole. A feed that was removed and comes again has another serial, as
it has another segment. Until the first reload there is no file, and the feeds of the start hold.

    /dev/shm/ticker.<instance>.private/feeds    JSON: {feed: serial}, in the order of the file
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from ticker.shm.segment import private_folder, put_private


def write_roster(instance: str, feeds: Mapping[str, int]) -> None:
    """Say which feeds there are from now on.

    Raises:
        SegmentError: something that is not ours has the name of the folder.
        OSError: the file cannot be written.
    """
    put_private(_path(instance), msgspec.json.encode(dict(feeds)))


def read_roster(instance: str) -> dict[str, int] | None:
    """Serial by feed; None where no reload has said it."""
    try:
        return msgspec.json.decode(_path(instance).read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _path(instance: str) -> Path:
    return private_folder(instance) / "feeds"
