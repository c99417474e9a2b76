"""The store worker: its share of a core beside a feed of a given pace, with all that it does.

A synthetic publisher trades and quotes at an even pace, in a process of its own. The worker
follows its rings, makes bars in motion, and writes last prices, days and bars into a temporary
folder, as it does in a server. At the end each trade is in a bar on the disk, or counted; a trade
that is neither is `missed`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from ticker.bench.swarm.publisher import SyntheticPublisher
from ticker.bench.swarm.symbols import symbol_names
from ticker.clock import now_ns
from ticker.config import Config
from ticker.errors import BenchError
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_STORE, Mapping
from ticker.shm.segment import Geometry
from ticker.shm.table import PriceTable
from ticker.store.context import StoreContext
from ticker.store.worker import StoreWorker

FEED = "bench"
BOOT = 1
SETTLE = 0.5
"""s from the worker's first sign of life until it reads the rings."""
WARM = 30.0
"""s before the measurement begins: then all rows were written once, and the memory has grown."""


def run(trades: int, quotes: int, symbols: int, duration: float) -> dict[str, Any]:
    """`trades` and `quotes` per second over `symbols` symbols; measures `duration` s. Days and bars
    are written once a minute, so a whole number of minutes says the most.

    Raises:
        BenchError: the publisher failed.
    """
    instance = f"bench-{os.getpid()}"
    feed, store = segment.feed_name(instance, FEED), segment.store_name(instance)
    bars = segment.bars_name(instance)
    now = now_ns()
    mapping = segment.create_feed(feed, Geometry(rows=max(symbols, 16)), BOOT, now)
    try:
        own = segment.create_worker(store, KIND_STORE, BOOT, now)
        segment.create_bars(bars, symbols, BOOT, now)
        with tempfile.TemporaryDirectory(prefix="ticker-bench-") as name:
            context = StoreContext(store, BOOT, ((FEED, feed),), Path(name), bars=bars)
            pid = os.fork()
            if not pid:
                wait_for_worker(own)
                os._exit(publish(mapping, trades, quotes // trades, symbols, WARM + duration))
            cpu, seconds = _work(context, pid, duration)
            _, status = os.waitpid(pid, 0)
            if status:
                raise BenchError("the synthetic publisher failed; its error is above")
            found = _in_bars(Path(name))
    finally:
        for each in (feed, store, bars):
            segment.remove(each)
    counted = Counters(own).as_dict()
    table = PriceTable(mapping)
    values = [table.values(row) or {} for row in range(len(table))]
    published = sum(each["seq"] for each in values)
    return {
        "void": "the store failed; its log says why" if counted["faults"] else None,
        "trades_per_second": round(published / (WARM + duration)),
        "quotes_per_second": round(sum(each["quotes"] for each in values) / (WARM + duration)),
        "store_cpu": round(cpu / seconds, 4),
        "cpu_ns_per_trade": round(1e9 * cpu / seconds / trades),
        "snapshots": counted["snapshots"],
        "megabytes_per_snapshot": round(counted["snapshot_bytes"] / counted["snapshots"] / 1e6, 2),
        "published": published,
        "in_bars": found,
        "records_missed": counted["records_missed"],
        "missed_uncounted": max(0, published - found - counted["records_missed"]),
        "seconds": round(seconds, 3),
    }


def _work(context: StoreContext, publisher: int, duration: float) -> tuple[float, float]:
    """Run the worker until the publisher (a pid) has ended; else its last records would lap the
    rings. Its seconds of a core, of how many by the clock."""
    stop = threading.Event()
    worker = StoreWorker(Config(), context)
    times: list[tuple[float, float]] = []

    def measure() -> None:
        for pause in (WARM, duration):
            time.sleep(pause)
            times.append((time.process_time(), time.monotonic()))
        os.waitid(os.P_PID, publisher, os.WEXITED | os.WNOWAIT)
        stop.set()

    thread = threading.Thread(target=measure)
    thread.start()
    worker.serve(stop)
    thread.join()
    (cpu, since), (cpu_after, until) = times
    return cpu_after - cpu, until - since


def wait_for_worker(own: Mapping) -> None:
    """In the child: until the store worker follows the rings."""
    heartbeat = Heartbeat(own)
    while not heartbeat.time_ns:
        time.sleep(0.01)
    time.sleep(SETTLE)


def publish(mapping: Mapping, trades: int, quotes: int, symbols: int, duration: float) -> int:
    """In the child: trade for a while, with `quotes` after each trade; the exit code."""
    try:
        publisher = SyntheticPublisher(mapping, symbol_names(symbols), [])
        publisher.quotes_after = quotes
        reading, writing = os.pipe()
        threading.Timer(duration, os.close, [writing]).start()
        publisher.run(symbols / trades, 1.0, reading)
    except Exception as error:
        print(f"publisher: {error!r}", flush=True)
        return 1
    return 0


def _in_bars(folder: Path) -> int:
    """Trades that are in bars on the disk."""
    total = 0
    for path in (folder / "history").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as file:
            total += file.execute("SELECT COALESCE(SUM(trades), 0) FROM bars").fetchone()[0]
    return total
