"""Feed workers as processes, what they count and what they publish; for tests of live feeds."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ticker.feeds.images.files import image_paths
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, create_feed, remove
from ticker.shm.table import PriceTable

LOOPBACK = "127.0.0.1"
GEOMETRY = Geometry(rows=256, rings=2, ring_capacity=65_536)
numbers = itertools.count(1)

WORKER = """
import sys
from ticker.config import parse
from ticker.feeds.workers.worker import FeedContext, run
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7))
"""

IMAGED = """
import sys
from pathlib import Path
from ticker.config import parse
from ticker.feeds.workers.worker import FeedContext, run
feed = parse(sys.argv[1]).feeds[0]
run(feed, FeedContext(segment=sys.argv[2], boot_id=7, folder=Path(sys.argv[3])))
"""

OF_ALL = (
    "price", "size", "volume", "trades", "seq", "open", "high", "low", "bid", "bid_size", "ask",
    "ask_size", "status", "exchange_time", "corrections",
)  # fmt: skip

# Of the local clock are receive_time and publish_time. Quotes count what was published, and
# quote_time is of that: they depend on what came in one batch, not on what came.
OF_THE_MOMENT = {"receive_time", "publish_time", "quotes", "quote_time"}


def wait_for(
    what: Callable[[], Any],
    turn: Callable[[], None] = lambda: None,
    *,
    seconds: float = 30.0,
) -> None:
    """Until it holds; `turn` is what the test has to do meanwhile."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        turn()
        time.sleep(0.001)


def has_lost(mapping: Mapping, messages: int) -> bool:
    """Whether the feed of this segment has counted so many messages as lost."""
    return Counters(mapping)["lost_messages"] == messages


class Worker:
    """A feed worker's process, its counters and its table."""

    def __init__(self, toml: str) -> None:
        self.name = f"/ticker.test-loss-{os.getpid()}-{next(numbers)}.sim"
        self.mapping = create_feed(self.name, GEOMETRY, 7, time.time_ns())
        self.heartbeat = Heartbeat(self.mapping)
        self.table = PriceTable(self.mapping)
        self.toml = toml
        self.said = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        self.start()

    def start(self, turn: Callable[[], None] = lambda: None) -> None:
        """A process, the first or another, that beats."""
        epoch = self.heartbeat.epoch
        self.process = subprocess.Popen(self.command(), stdout=self.said)
        wait_for(lambda: self.heartbeat.epoch > epoch, turn)
        before = self.heartbeat.time_ns
        wait_for(lambda: self.heartbeat.time_ns > before, turn)

    def command(self) -> list[str]:
        return [sys.executable, "-c", WORKER, self.toml, self.name]

    def kill(self) -> None:
        """Without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def __getitem__(self, counter: str) -> int:
        return Counters(self.mapping)[counter]

    def rows(self) -> dict[str, dict[str, int]]:
        found = {}
        for row in range(len(self.table)):
            values = self.table.values(row) or {}
            found[self.table.symbol(row)] = {
                name: value for name, value in values.items() if name not in OF_THE_MOMENT
            }
        return found

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0
        self.said.close()
        remove(self.name)

    def log(self) -> str:
        """What its processes have said."""
        return os.pread(self.said.fileno(), 1 << 20, 0).decode()


class Imaged(Worker):
    """A worker whose images lie in a folder of its own."""

    def __init__(self, toml: str) -> None:
        self.folder = Path(tempfile.mkdtemp())
        super().__init__(toml)

    def command(self) -> list[str]:
        return [sys.executable, "-c", IMAGED, self.toml, self.name, str(self.folder)]

    @property
    def image(self) -> int:
        return image_of(self.folder, self.name)

    def shown(self) -> dict[str, dict[str, int]]:
        return {symbol: {name: row[name] for name in OF_ALL} for symbol, row in self.rows().items()}

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.folder)


def image_of(folder: Path, segment: str) -> int:
    """Of the newest image of a feed that is whole, the number that the session counts; 0: none."""
    heads = [path.read_bytes()[:56] for path in image_paths(folder, segment) if path.exists()]
    found = [int.from_bytes(head[48:56], "little") for head in heads if head[:8].strip(b"\0")]
    return max(found, default=0)
