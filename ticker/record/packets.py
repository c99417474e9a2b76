"""The raw packets of a feed onto the disk, both lines, in pcapng files of an hour.

In: datagrams, from sockets of its own. The kernel gives those of a multicast group to each socket
that has joined it, so no feed knows of it. Out: files that `ticker replay` and any other reader of
pcapng can read. It is used by a Recorder, as a Tape (tape.py) is.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ticker.clock import Clock, now_ns
from ticker.feeds.transports.datagram_sockets import Address, drops_of, line_socket
from ticker.record import pcapng
from ticker.record.files import HOUR, create

SO_TIMESTAMPNS = 35
LONGEST = 65_536
ANCILLARY = 64
TIMESPEC = struct.Struct("qq")
SECOND = 1_000_000_000
AT_ONCE = 20_000
"""Packets of a line that are read at once."""
MOST_WAITING = 256 << 20
"""Bytes that wait for a disk that takes nothing; then the newest packets are dropped."""


@dataclass(frozen=True)
class Chunk:
    """Blocks of packets of one hour, which counts from the epoch."""

    hour: int
    blocks: bytes
    packets: int


class PacketFile:
    """The file of an hour that is being written."""

    def __init__(self, folder: Path, feed: str, hour: int, head: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.hour = hour
        self.path = create(folder, feed, hour, PacketTape.suffix)
        self.size = 0
        self.write(head)

    def write(self, blocks: bytes) -> None:
        """Append; what fails leaves the file as it was. Raises OSError."""
        try:
            with self.path.open("r+b", buffering=0) as file:
                file.seek(self.size)
                left = memoryview(blocks)
                while left:
                    left = left[file.write(left) :]
        except OSError:
            with suppress(OSError):
                os.truncate(self.path, self.size)
            raise
        self.size += len(blocks)

    def sync(self) -> None:
        """Wait for the disk. Raises OSError."""
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())


class PacketTape:
    """The packets of a feed's lines, from now on.

    Args:
        lines: multicast groups.
        interface: IPv4 address of the interface that they come in by.
        sources: who sends on them; none: anybody.

    Attributes:
        events: packets on the disk.
        dropped: packets that waited for the disk for too long.
        written_bytes: all that went to the disk.

    Raises:
        FeedError: a line cannot be listened on.
    """

    suffix = "pcapng"

    def __init__(
        self,
        feed: str,
        lines: Sequence[Address],
        interface: str,
        sources: Sequence[str],
        folder: Path,
        clock: Clock = now_ns,
    ) -> None:
        self.feed = feed
        self.folder = folder
        self.lines = tuple(lines)
        self.clock = clock
        self.sockets = [line_socket(line, interface, sources) for line in lines]
        for each in self.sockets:
            each.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.received = [0] * len(self.sockets)
        self.file: PacketFile | None = None
        self.waiting: deque[Chunk] = deque()
        self.events = self.dropped = self.written_bytes = 0
        self._lapped = 0
        self._kept: list[tuple[int, int, bytes]] = []

    @property
    def lapped(self) -> int:
        """Packets that the kernel dropped, for a socket's buffer was full."""
        if self.sockets:
            self._lapped = sum(map(drops_of, self.sockets))
        return self._lapped

    def gather(self, *, whole: bool = False) -> int:  # noqa: ARG002  (as Tape has it)
        """Take in the packets that have come; how many that were."""
        before = len(self._kept)
        for line in range(len(self.sockets)):
            self._receive(line)
        found = len(self._kept) - before
        self._kept.sort(key=lambda each: each[0])
        self.take()
        return found

    def _receive(self, line: int) -> None:
        receive = self.sockets[line].recvmsg
        destination = self.lines[line]
        for _ in range(AT_ONCE):
            try:
                payload, told, _, source = receive(LONGEST, ANCILLARY)
            except BlockingIOError:
                return
            time = self._time(told)
            block = pcapng.packet(line, time, source, destination, payload)
            self._kept.append((time, line, block))
            self.received[line] += 1

    def _time(self, told: list[tuple[int, int, bytes]]) -> int:
        """When the kernel had it, ns."""
        for level, kind, value in told:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, ns = TIMESPEC.unpack(value[: TIMESPEC.size])
                return int(seconds) * SECOND + int(ns)
        return self.clock()

    def look(self) -> None:
        """There are no rows to look at."""

    def take(self, *, last: bool = False) -> None:  # noqa: ARG002  (as Tape has it)
        """What was gathered up to now is to be written, by hours."""
        by_hour: dict[int, list[bytes]] = {}
        for time, _, block in self._kept:
            by_hour.setdefault(time // SECOND // HOUR, []).append(block)
        self._kept = []
        waits = sum(len(chunk.blocks) for chunk in tuple(self.waiting))
        for hour, blocks in sorted(by_hour.items()):
            chunk = Chunk(hour, b"".join(blocks), len(blocks))
            waits += len(chunk.blocks)
            if waits > MOST_WAITING:
                self.dropped += chunk.packets
            else:
                self.waiting.append(chunk)

    def write(self) -> int:
        """Put on the disk what waits for it; how many packets. Raises OSError."""
        packets = 0
        while self.waiting:
            chunk = self.waiting[0]
            if self.file is None or chunk.hour > self.file.hour:
                self._close()
                names = [
                    f"line {chr(ord('A') + number)} {host}:{port}"
                    for number, (host, port) in enumerate(self.lines)
                ]
                self.file = PacketFile(self.folder, self.feed, chunk.hour, pcapng.head(names))
            self.file.write(chunk.blocks)
            self.waiting.popleft()
            packets += chunk.packets
            self.events += chunk.packets
            self.written_bytes += len(chunk.blocks)
        return packets

    def commit(self) -> None:
        """Wait for the disk. Raises OSError."""
        if self.file is not None:
            self.file.sync()

    def close(self) -> None:
        """Write what waits, and let go of the file and the lines. Raises OSError."""
        self.write()
        self._close()
        self._lapped = self.lapped
        for each in self.sockets:
            each.close()
        self.sockets = []

    def _close(self) -> None:
        """The end of a file says how many packets came, and how many were dropped."""
        file, self.file = self.file, None
        if file is not None:
            now = self.clock()
            for line, (opened, received) in enumerate(
                zip(self.sockets, self.received, strict=True)
            ):
                file.write(pcapng.statistics(line, now, received, drops_of(opened)))
            file.sync()
