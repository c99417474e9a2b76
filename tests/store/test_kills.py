"""Killed at any moment, with any damage to its files: each price that comes back was true at a
snapshot that was not old.

The files alone are looked at, as after a loss of power: where the machine stays up, a start takes
the rows from memory (tests/supervisor/feeds/test_left_behind.py). How old a snapshot is depends on
the store and on the machine: the time in which the store waited for a core is measured, and counts
for the machine.
"""

from __future__ import annotations

import mmap
import os
import random
import shutil
import signal
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ticker.config import Config
from ticker.config.store import StoreConfig
from ticker.shm import segment
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_STORE
from ticker.shm.segment import Geometry
from ticker.shm.table import PriceTable, TableWriter
from ticker.store.context import StoreContext
from ticker.store.last import FOLDER, read_snapshots
from ticker.store.restore import restore
from ticker.store.worker import StoreWorker

ROWS = 2000
INTERVAL = 0.2
OLDEST = 2.0
"""s before the kill at which a price was true at the latest, but for the wait for a core."""
OLDEST_BUSY = 20.0


class Sweeps:
    """When each sweep of the writer over the rows began, in memory that it shares with the test:
    so it is known until when a price was true."""

    ROOM = 1 << 16

    def __init__(self) -> None:
        self._words = memoryview(mmap.mmap(-1, 8 * (1 + self.ROOM))).cast("q")

    def begin(self, now_ns: int) -> None:
        self._words[1 + self._words[0]] = now_ns
        self._words[0] += 1

    @property
    def starts(self) -> list[int]:
        return self._words[1 : 1 + self._words[0]].tolist()


def write(name: str, sweeps: Sweeps) -> None:
    """For ever: each row's price is the time at which it was written, and its volume proves it."""
    table = TableWriter(segment.attach(name, KIND_FEED, boot_id=1, writable=True))
    for row in range(ROWS):
        table.add(f"S{row}", "XNAS")
    while True:
        sweeps.begin(time.time_ns())
        for row in range(ROWS):
            now = time.time_ns()
            table.put(row, price=now, exchange_time=now, publish_time=now, volume=now ^ row)


@contextmanager
def child(work: Callable[[], None]) -> Iterator[int]:
    """A forked process, killed at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def waited(pid: int) -> float:
    """s in which the threads of a process were ready, and no core was free."""
    return sum(
        int(task.read_text().split()[1]) / 1e9
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


@contextmanager
def storing(folder: Path, number: int, sweeps: Sweeps) -> Iterator[int]:
    """A feed and its store; gives the store's process once both run. Both are killed at the end."""
    instance = f"kill{os.getpid()}-{number}"
    feed, store = segment.feed_name(instance, "f"), segment.store_name(instance)
    segment.create_feed(feed, Geometry(ROWS, 1, 16), 1, time.time_ns())
    segment.create_worker(store, KIND_STORE, 1, time.time_ns())
    context = StoreContext(segment=store, boot_id=1, feeds=(("f", feed),), folder=folder)
    config = Config(store=StoreConfig(interval=INTERVAL))
    try:
        with (
            child(lambda: write(feed, sweeps)),
            child(lambda: StoreWorker(config, context).serve(threading.Event())) as worker,
        ):
            table = PriceTable(segment.attach(feed, KIND_FEED, boot_id=1))
            while len(table) < ROWS or not (table.values(ROWS - 1) or {}).get("price"):
                time.sleep(0.01)
            yield worker
    finally:
        segment.remove(feed)
        segment.remove(store)


@pytest.mark.slow
def test_what_a_feed_shows_while_it_ends_is_in_the_last_snapshot(tmp_path: Path) -> None:
    """A supervisor that is killed ends all workers at once, not feeds first."""
    instance = f"last{os.getpid()}"
    feed, store = segment.feed_name(instance, "f"), segment.store_name(instance)
    mapping = segment.create_feed(feed, Geometry(4, 1, 16), 1, time.time_ns())
    segment.create_worker(store, KIND_STORE, 1, time.time_ns())
    held, release = os.pipe()

    def end_slowly() -> None:
        mine = segment.attach(feed, KIND_FEED, boot_id=1, writable=True)
        Heartbeat(mine).take_over(os.getpid(), time.time_ns())
        table = TableWriter(mine)
        table.put(table.add("AAPL", "XNAS"), price=1, publish_time=1)
        os.read(held, 1)
        table.put(0, price=2, publish_time=2)
        os.kill(os.getpid(), signal.SIGKILL)

    context = StoreContext(segment=store, boot_id=1, feeds=(("f", feed),), folder=tmp_path)
    stop = threading.Event()
    try:
        with child(end_slowly):
            table = PriceTable(mapping)
            while not (len(table) and (table.values(0) or {}).get("price")):
                time.sleep(0.01)
            worker = StoreWorker(Config(store=StoreConfig(interval=INTERVAL)), context)
            thread = threading.Thread(target=worker.serve, args=(stop,))
            thread.start()
            stop.set()
            thread.join(0.3)
            assert thread.is_alive(), "it waits for the feed"
            os.write(release, b"x")
            thread.join(10)
        (newest, *_), _ = read_snapshots(tmp_path, "f")
        assert [values["price"] for _, _, values in newest] == [2]
    finally:
        for each in (feed, store):
            segment.remove(each)
        for pipe in (held, release):
            os.close(pipe)


def check(folder: Path, killed: int, starts: list[int], oldest: float) -> int:
    """The prices that a start would show, after a kill at `killed` ns; how many there are. Each was
    true once, and until `oldest` s before the kill at least."""
    target = segment.private_feed(Geometry(ROWS, 1, 16), 1, 1)
    restore(target, read_snapshots(folder, "f")[0], midnight=0)
    table = PriceTable(target)
    ages = []
    for row in range(len(table)):
        values = table.values(row)
        assert values is not None
        price, number = values["price"], int(table.symbol(row)[1:])
        if not price:
            continue  # the row was there before its first price
        assert values["volume"] == price ^ number, "a price that never was"
        assert starts[0] <= price <= killed, "a price of another time"
        replaced = bisect_right(starts, price)
        ages.append((killed - starts[replaced]) / 1e9 if replaced < len(starts) else 0.0)
    assert max(ages, default=0.0) <= oldest, (
        f"right prices, but {max(ages):.3f} s old: the store was late, not only the machine "
        f"({oldest:.3f} s with the store's wait for a core)"
    )
    return len(table)


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def kills(folder: Path, times: int, damages: int, seed: int, oldest: float) -> None:
    chance = random.Random(seed)
    for number in range(times):
        here = folder / str(number)
        sweeps = Sweeps()
        with storing(here, number, sweeps) as worker:
            # both files must be of this life
            while len(list((here / FOLDER).glob("f.[01]"))) < 2:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 2 * INTERVAL))
            old = oldest + waited(worker)
        killed, starts = time.time_ns(), sweeps.starts
        assert check(here, killed, starts, old) == ROWS, f"kill {number}"
        for damage in range(damages):
            copy = folder / "damaged"
            shutil.copytree(here, copy)
            victim = copy / FOLDER / f"f.{chance.randrange(2)}"
            (flip, truncate)[damage % 2](victim, chance)
            check(copy, killed, starts, old)
            shutil.rmtree(copy)
        shutil.rmtree(here)


@pytest.mark.slow
def test_kills_and_damage(tmp_path: Path) -> None:
    kills(tmp_path, times=3, damages=10, seed=1, oldest=OLDEST_BUSY)


@pytest.mark.stress
@pytest.mark.timeout(1200)
def test_200_kills_each_with_a_truncation_and_a_flipped_bit(tmp_path: Path) -> None:
    kills(tmp_path, times=200, damages=2, seed=time.time_ns(), oldest=OLDEST)
