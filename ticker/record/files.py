"""The files of a recording: one of Parquet for a feed and an hour, whole after each commit.

A Parquet file ends with a footer that says where everything is, so a file whose writer was killed
before the end cannot be read. Here each commit writes its rows and a footer, and the next rows go
behind it: readers use the last footer and pass over those before it. So a kill loses the events
since the last commit. If it comes amid a commit, `mend` cuts off the part behind the last footer.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ticker.errors import StoreError

PARQUET = "parquet"
MAGIC = b"PAR1"
TAIL = 8
"""Bytes of a footer's length and its magic, the last ones of a file."""
NAME = re.compile(
    r"(?P<feed>.+)-(?P<hour>\d{4}-\d\d-\d\dT\d\d)(?:\.(?P<part>\d+))?\.(?P<suffix>\w+)\Z"
)
HOUR = 3600
DELTAS = dict.fromkeys(
    ("publish_time", "exchange_time", "receive_time", "position", "seq", "trade_id"),
    "DELTA_BINARY_PACKED",
)
"""Numbers that hardly differ from the one before."""
WORDS = ["kind", "symbol", "venue", "currency", "state"]
MOST_WAITING = 32 << 20
"""Bytes that wait in memory for a commit."""
LEVEL = 1
"""Of zstd: higher ones cost more of a core than they save of a disk."""


@dataclass(frozen=True, order=True)
class Recorded:
    """A file of a recording; `hour` counts from the epoch. They sort by time within a feed."""

    feed: str
    hour: int
    part: int
    path: Path


class HourFile:
    """The file of a feed's hour that is being written.

    Raises:
        OSError: the disk does not take it.
    """

    def __init__(self, folder: Path, feed: str, hour: int, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.feed, self.hour = folder, feed, hour
        self.schema = schema
        self.path: Path | None = None
        self._metadata: pq.FileMetaData | None = None
        self._waiting = bytearray(MAGIC)
        self._footed = True
        self._end = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take events, as a row group. They are on the disk after `commit`, which comes by itself
        where many wait.

        Raises:
            OSError: the disk does not take those that wait already.
        """
        if len(self._waiting) > MOST_WAITING:
            self.commit()
        start = self._end + len(self._waiting)
        with _Draft() as draft:
            metadata = draft.write(batch, self.schema, start)
            self._waiting += draft.read(start, _end_of(metadata))
        if self._metadata is None:
            self._metadata = metadata
        else:
            self._metadata.append_row_groups(metadata)
        self._footed = False

    def commit(self) -> int:
        """Write what waits and a footer, and wait for the disk; the bytes that it took. What fails
        is tried again by the next commit.

        Raises:
            OSError: the disk did not take it. The file is as it was before.
        """
        if self._footed or self._metadata is None:
            return 0
        if self.path is None:
            self.path = create(self.folder, self.feed, self.hour, PARQUET)
        out = io.BytesIO()
        self._metadata.write_metadata_file(out)
        before = self._end
        self._append((bytes(self._waiting), out.getbuffer()[len(MAGIC) :]))
        self._waiting.clear()
        self._footed = True
        return self._end - before

    def _append(self, parts: tuple[bytes | memoryview, ...]) -> None:
        """A failed write leaves the file unchanged."""
        assert self.path is not None
        try:
            with self.path.open("r+b", buffering=0) as file:
                file.seek(self._end)
                for part in parts:
                    left = memoryview(part)
                    while left:
                        left = left[file.write(left) :]
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.truncate(self.path, self._end)
            raise
        self._end += sum(map(len, parts))


class _Draft:
    """A row group in memory, at the place in its file that it will have: pyarrow itself begins a
    file at 0, and appends to none."""

    def __enter__(self) -> _Draft:
        self._fd = os.memfd_create("ticker-record")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def write(self, batch: pa.RecordBatch, schema: pa.Schema, start: int) -> pq.FileMetaData:
        """The row group, so that it begins at `start`; what its footer would say."""
        found: list[pq.FileMetaData] = []
        with (
            pa.OSFile(f"/proc/self/fd/{self._fd}", "wb") as sink,
            pq.ParquetWriter(
                sink,
                schema,
                compression="zstd",
                compression_level=LEVEL,
                use_dictionary=WORDS,
                column_encoding=DELTAS,
                write_statistics=["publish_time", "symbol"],
                metadata_collector=found,
            ) as writer,
        ):
            os.lseek(sink.fileno(), start, os.SEEK_SET)
            writer.write_table(pa.Table.from_batches([batch]), row_group_size=batch.num_rows)
        return found[0]

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`."""
        content = os.pread(self._fd, end - start, start)
        assert len(content) == end - start, "memory gives all at once"
        return content


def _end_of(metadata: pq.FileMetaData) -> int:
    """Where the pages of a file with one row group end."""
    group = metadata.row_group(0)
    ends = [0]
    for index in range(group.num_columns):
        column = group.column(index)
        first = column.dictionary_page_offset or column.data_page_offset
        ends.append(first + column.total_compressed_size)
    return max(ends)


def create(folder: Path, feed: str, hour: int, suffix: str) -> Path:
    """A new file for the hour, empty. One that is there already is of a recorder before this one.

    Raises:
        OSError: it cannot be made.
    """
    stem = f"{feed}-{datetime.fromtimestamp(hour * HOUR, UTC):%Y-%m-%dT%H}"
    part = 1
    while True:
        path = folder / (f"{stem}.{suffix}" if part == 1 else f"{stem}.{part}.{suffix}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            part += 1
        else:
            return path


def recorded(folder: Path, suffixes: Container[str] = (PARQUET,)) -> list[Recorded]:
    """The files of a folder with events, or with these suffixes, by feed and time.

    Raises:
        StoreError: it cannot be listed.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read ({error.strerror})") from error
    found = []
    for path in paths:
        if (match := NAME.match(path.name)) and match["suffix"] in suffixes:
            when = datetime.strptime(match["hour"], "%Y-%m-%dT%H").replace(tzinfo=UTC)
            hour = int(when.timestamp()) // HOUR
            found.append(Recorded(match["feed"], hour, int(match["part"] or 1), path))
    return sorted(found)


def mend(path: Path) -> int:
    """Cut off the bytes after the last whole footer; returns their number. A file without a whole
    footer is not changed, because nothing in it can be read.

    Raises:
        OSError: the file cannot be read or written.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for end in _ends(file, size):
            if end == size:
                return 0
            if _is_whole(path, end):
                file.truncate(end)
                return size - end
    return 0


def _is_whole(path: Path, end: int) -> bool:
    """Whether the file would be one of Parquet, if it ended there."""
    if end < TAIL + len(MAGIC):
        return False
    with path.open("rb") as file, io.BytesIO() as tail:
        file.seek(end - TAIL)
        length = int.from_bytes(file.read(4), "little")
        if length + TAIL + len(MAGIC) > end:
            return False
        file.seek(end - TAIL - length)
        tail.write(MAGIC + file.read(length + TAIL))
        try:
            pq.read_metadata(tail)
        except (OSError, pa.ArrowException):
            return False
        return True


def _ends(file: io.BufferedRandom, size: int, step: int = 1 << 20) -> Iterator[int]:
    """Where a file may end, the last place first: behind each magic."""
    overlap = len(MAGIC) - 1
    high = size
    while high > 0:
        low = max(0, high - step)
        file.seek(low)
        block = file.read(min(high + overlap, size) - low)
        at = block.rfind(MAGIC)
        while at >= 0:
            yield low + at + len(MAGIC)
            at = block.rfind(MAGIC, 0, at + overlap)
        high = low
