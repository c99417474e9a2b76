"""The bars that still change, in files beside those of the months: two in turn for each feed.

In: the bytes of Bars.image, and the places in the rings. Out: `<folder>/history/<feed>.forming.0`
and `.1`. Owned by the store worker; other programs read them together with the months' files.

A file goes with one commit to the months' files, which it names by its place (`base`): it has what
has changed since. It is on the disk before that commit, and the file of the commit before it stays
until then. So there is always one that fits, whenever a worker is killed. A file that fits no
commit, or that is damaged, is as good as none.

    8 bytes   "TICKBARS"
    4 x 4     format, bytes of the JSON, bytes of the bars, CRC-32C of all bytes but itself
    JSON      feed, number, base and place: [boot_id, time, positions, forming] each
    bars      KeptBars (forming.pxd)
"""

from __future__ import annotations

import errno
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from ticker.errors import StoreError
from ticker.store import bars
from ticker.store.disk.generations import Generations
from ticker.store.live.forming import BAR_BYTES, bars_in
from ticker.store.rows import BAR, Place, Row, joined
from ticker.store.snapshot import NewerFormatError, checksum

MAGIC = b"TICKBARS"
FORMAT = 1
HEAD = struct.Struct("<8sIII")
CHECK = struct.Struct("<I")
SUFFIX = ".forming"


@dataclass(frozen=True)
class FormingBars:
    """The content of one file.

    Attributes:
        base: the commit to the months' files that it goes with.
        place: the positions in the rings up to which the bars go.
        bars: KeptBars.
    """

    feed: str
    number: int
    base: Place
    place: Place
    bars: bytes

    def packed(self) -> bytes:
        """The bytes of the file."""
        base, place = astuple(self.base), astuple(self.place)
        described = json.dumps(
            {"feed": self.feed, "number": self.number, "base": base, "place": place}
        ).encode()
        head = HEAD.pack(MAGIC, FORMAT, len(described), len(self.bars))
        body = described + self.bars
        return head + CHECK.pack(checksum(head + body)) + body

    @classmethod
    def unpacked(cls, data: bytes) -> FormingBars:
        """The content of a file.

        Raises:
            StoreError: it is damaged. NewerFormatError: a newer version of ticker wrote it.
        """
        start = HEAD.size + CHECK.size
        if len(data) < start or data[: len(MAGIC)] != MAGIC:
            raise StoreError("no file of forming bars: it begins otherwise")
        _, version, described, length = HEAD.unpack_from(data)
        if version > FORMAT:
            raise NewerFormatError(
                f"forming bars in format {version}, and this version reads format {FORMAT}: "
                "start the newer version, or move the file away"
            )
        (check,) = CHECK.unpack_from(data, HEAD.size)
        if len(data) != start + described + length or length % BAR_BYTES:
            raise StoreError("forming bars that are cut")
        if check != checksum(data[: HEAD.size] + data[start:]):
            raise StoreError("damaged forming bars")
        found = json.loads(data[start : start + described])
        base, place = Place(*found["base"]), Place(*found["place"])
        return cls(found["feed"], found["number"], base, place, data[start + described :])


class FormingFiles:
    """The two files of one feed, to write."""

    def __init__(self, folder: Path, feed: str) -> None:
        self.feed = feed
        self.files = Generations(folder, feed + SUFFIX)
        self.number = 0

    def resume(self, base: Place | None) -> tuple[FormingBars | None, list[str]]:
        """The bars that go with the newest commit, and the faults of files that cannot be read. The
        next file takes the place of the other one.

        Raises:
            StoreError: a newer version of ticker wrote a file.
        """
        found, faults = read_forming(self.files)
        for each in found:
            if each.feed == self.feed and each.base == base:
                self.number = each.number
                return each, faults
        self.number = max((each.number for each in found), default=0)
        return None, faults

    def write(self, base: Place, place: Place, bars: bytes) -> None:
        """Write the next file. It counts from `accept` on; until then the next one replaces it.

        Raises:
            OSError: the disk did not take it.
        """
        number = self.number + 1
        self.files.write(number, FormingBars(self.feed, number, base, place, bars).packed())

    def accept(self) -> None:
        """The file that was written last stays until the one after the next."""
        self.number += 1


def read_forming(files: Generations) -> tuple[list[FormingBars], list[str]]:
    """The readable files of a feed, newest first, and the faults of the others.

    Raises:
        StoreError: a newer version of ticker wrote one.
    """
    found: list[FormingBars] = []
    faults: list[str] = []
    for path in files.paths:
        try:
            if (data := Generations.read_one(path)) is not None:
                found.append(FormingBars.unpacked(data))
        except NewerFormatError as error:
            raise StoreError(f"{path}: {error}", errno.EPROTONOSUPPORT) from None
        except StoreError as error:
            faults.append(f"{path}: {error}" if str(path) not in str(error) else str(error))
    found.sort(key=lambda each: each.number, reverse=True)
    return found, faults


Find = Callable[[str, str | None, int, int], list["bars.Figures"]]


class FormingReader:
    """The files of all feeds in a folder, to read. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[tuple[int, int, int], FormingBars | None]] = {}
        """What was in each file, and which file that was."""

    def of(self, places: Mapping[str, Place]) -> Find:
        """The bars that go with these commits, by feed; then of a symbol and a venue, None: of any,
        those that start in begin <= s < end."""
        files: dict[str, FormingBars] = {}
        for path in self.folder.glob(f"*{SUFFIX}.[01]"):
            found = self._content(path)
            if found is not None and found.base == places.get(found.feed):
                before = files.get(found.feed)
                if before is None or before.number < found.number:
                    files[found.feed] = found

        def of_symbol(symbol: str, venue: str | None, begin: int, end: int) -> list[bars.Figures]:
            return [
                bar
                for each in files.values()
                for bar in bars_in(each.bars, symbol)
                if venue in (None, bar[1]) and begin <= bar[2] < end
            ]

        return of_symbol

    def _content(self, path: Path) -> FormingBars | None:
        """The content of a file, None: it cannot be read."""
        try:
            status = path.stat()
            this = status.st_ino, status.st_mtime_ns, status.st_size
            known = self._read.get(path)
            if known is None or known[0] != this:
                data = Generations.read_one(path)
                known = this, None if data is None else FormingBars.unpacked(data)
        except OSError:
            return None
        except StoreError:
            known = this, None
        self._read[path] = known
        return known[1]


def woven(rows: Iterable[Row], forming: list[bars.Figures], newest_first: bool) -> Iterator[Row]:
    """The bars of the months' files and those beside them, by minute and venue."""

    def key(row: Row) -> tuple[int, str]:
        return -row["minute"] if newest_first else row["minute"], row["venue"]

    left: dict[tuple[int, str], tuple[Row, int]] = {}
    for *figures, exact, adds in forming:
        row = dict(zip(BAR, (*figures, int(exact)), strict=True))
        left[key(row)] = row, adds
    waiting = sorted(left, reverse=True)
    for row in rows:
        while waiting and waiting[-1] < key(row):
            yield left[waiting.pop()][0]
        if waiting and waiting[-1] == key(row):
            new, adds = left[waiting.pop()]
            yield joined(row, new) if adds else new
        else:
            yield row
    for each in reversed(waiting):
        yield left[each][0]
