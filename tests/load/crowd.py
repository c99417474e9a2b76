"""Many watchers over real sockets, in this process: they come, are dropped, and come back.

A connection that ends is taken up again when its goodbye has said, or within a short while; an
end that the crowd has not brought about, and no goodbye or close frame has announced, is `lost`;
one before the handshake was answered is `refused`.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import random
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Self

from tests.load.watcher import Watcher, next_frame


class State(Enum):
    AWAY = 0
    CONNECTING = 1
    UPGRADING = 2
    OPEN = 3
    LEAVING = 4


class Line:
    """A watcher's connection."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.socket: socket.socket | None = None
        self.state = State.AWAY
        self.buffer = b""
        self.since = 0.0  # when it last went away, or came back


class Crowd:
    """`clock` gives each symbol's newest time (us), asked when somebody subscribes. A context."""

    def __init__(
        self,
        address: tuple[str, int],
        watchers: Iterable[Watcher],
        clock: Callable[[], dict[str, int]],
        *,
        patience: float = 0.5,
    ) -> None:
        self.address = address
        self.lines = [Line(watcher) for watcher in watchers]
        self.clock = clock
        self.patience = patience  # s until somebody without a goodbye comes back, at most
        self.refused: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.closed: Counter[int] = Counter()  # close codes
        self.away: list[float] = []  # s between a connection's end and the next one's first word
        self._epoll = select.epoll()
        self._by_fd: dict[int, Line] = {}
        self._due: list[tuple[float, int, Line]] = []
        self._order = itertools.count()
        self._random = random.Random(1)
        self._now: tuple[float, dict[str, int]] = (0.0, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for line in self.lines:
            if line.socket is not None:
                line.socket.close()
        self._epoll.close()

    @property
    def violations(self) -> list[str]:
        return [each for line in self.lines for each in line.watcher.violations]

    def count(self, kind: str) -> int:
        """Messages of a type, over all watchers."""
        return sum(line.watcher.counts.get(kind, 0) for line in self.lines)

    def all_open(self) -> bool:
        """Everybody is connected, and was told so."""
        return all(line.state is State.OPEN and line.watcher.ready for line in self.lines)

    def behind(self, now: dict[str, tuple[int, float]]) -> dict[int, list[str]]:
        """Who has not the newest (time in us, price) of which symbols."""
        found = {line.watcher.number: line.watcher.behind(now) for line in self.lines}
        return {number: symbols for number, symbols in found.items() if symbols}

    # -- coming and going -----------------------------------------------------------------

    def come(self, lines: Iterable[Line]) -> None:
        """Connect these now, all at once."""
        for line in lines:
            self._connect(line)

    def drop(self, line: Line, how: str) -> None:
        """End an open connection: "close", "reset", or "half", which goes on reading."""
        assert line.socket is not None
        if how == "half":
            line.state = State.LEAVING
            try:
                line.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._ended(line)
            return
        if how == "reset":
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.state = State.LEAVING
        self._ended(line)

    def _connect(self, line: Line) -> None:
        line.socket = socket.socket()
        line.socket.setblocking(False)
        line.buffer = b""
        line.state = State.CONNECTING
        self._by_fd[line.socket.fileno()] = line
        found = line.socket.connect_ex(self.address)
        if found not in (0, errno.EINPROGRESS):
            self._failed(line, found)
            return
        self._epoll.register(line.socket, select.EPOLLOUT)

    def _failed(self, line: Line, error: int) -> None:
        self.refused[errno.errorcode.get(error, str(error))] += 1
        self._again(line)

    def _again(self, line: Line) -> None:
        """Close it, and come back when it is time."""
        assert line.socket is not None
        retry = line.watcher.retry_after
        wait = retry if retry is not None else self._random.random() * self.patience
        del self._by_fd[line.socket.fileno()]
        line.socket.close()
        if line.state in (State.OPEN, State.LEAVING):
            line.since = time.monotonic()
        line.socket, line.state = None, State.AWAY
        heapq.heappush(self._due, (time.monotonic() + wait, next(self._order), line))

    def _ended(self, line: Line, why: str = "end of stream") -> None:
        watcher = line.watcher
        if line.state is State.OPEN and not watcher.close_code:
            self.lost[why] += 1
        elif line.state in (State.CONNECTING, State.UPGRADING):
            self.refused[why] += 1
        self.closed[watcher.close_code] += 1
        self._again(line)

    # -- the loop -------------------------------------------------------------------------

    def pump(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Read and come back until the time is over, or `until()` holds; whether it does."""
        end = time.monotonic() + seconds
        looked = 0.0
        while (now := time.monotonic()) < end:
            if until is not None and now - looked > 0.02:
                if until():
                    return True
                looked = now
            while self._due and self._due[0][0] <= now:
                self._connect(heapq.heappop(self._due)[2])
            for fd, _ in self._epoll.poll(0.01, 512):
                line = self._by_fd.get(fd)
                if line is not None:
                    self._handle(line)
        return until is not None and until()

    def _handle(self, line: Line) -> None:
        assert line.socket is not None
        try:
            if line.state is State.CONNECTING:
                self._connected(line)
                return
            data = line.socket.recv(262_144)
        except BlockingIOError:
            return
        except OSError as error:
            self._ended(line, errno.errorcode.get(error.errno or 0, str(error)))
            return
        if not data:
            self._ended(line)
            return
        line.buffer += data
        if line.state is State.UPGRADING:
            self._upgraded(line)
        if line.state in (State.OPEN, State.LEAVING):
            self._frames(line)

    def _connected(self, line: Line) -> None:
        assert line.socket is not None
        error = line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._failed(line, error)
            return
        self._epoll.modify(line.socket, select.EPOLLIN)
        line.socket.send(line.watcher.request())
        line.state = State.UPGRADING

    def _upgraded(self, line: Line) -> None:
        assert line.socket is not None
        head, end, rest = line.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 101 "):
            self.refused[head.partition(b"\r\n")[0].decode()] += 1
            line.buffer = b""
            self._again(line)
            return
        line.buffer, line.state = rest, State.OPEN
        line.socket.send(line.watcher.settings() + line.watcher.command(self._clock()))

    def _clock(self) -> dict[str, int]:
        """The table's times, not older than the last turn: an older one asks for less."""
        now = time.monotonic()
        if now - self._now[0] > 0.005:
            self._now = (now, self.clock())
        return self._now[1]

    def _frames(self, line: Line) -> None:
        data, at = line.buffer, 0
        watcher, was_ready = line.watcher, line.watcher.ready
        answers = b""
        while (found := next_frame(data, at)) is not None:
            opcode, start, at = found
            answers += watcher.take(opcode, data[start:at])
        line.buffer = data[at:]
        if watcher.ready and not was_ready and line.since:
            self.away.append(time.monotonic() - line.since)
            line.since = 0.0
        if answers and line.state is State.OPEN:
            self._answer(line, answers)

    def _answer(self, line: Line, answers: bytes) -> None:
        assert line.socket is not None
        try:
            line.socket.send(answers)
        except OSError as error:
            self._ended(line, errno.errorcode.get(error.errno or 0, str(error)))
            return
        if line.watcher.close_code:
            self._ended(line)
