"""The recorder: its share of a core beside a feed of a given pace, and the records that it misses.

A synthetic publisher trades at an even pace, in a process of its own. The recorder follows it and
writes Parquet files into a temporary folder. At the end each trade is on the disk, or counted as
lapped or dropped; a trade that is neither is `missed`.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ticker.bench.disk.store import publish
from ticker.clock import now_ns
from ticker.errors import BenchError
from ticker.record.files import recorded
from ticker.record.recorder import Recorder
from ticker.record.tape import Tape
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

FEED = "bench"
COMMIT = 5.0
"""s between two commits."""
AFTER = 1.0
"""s that the recorder goes on after the last trade."""


def run(events: int, symbols: int, duration: float) -> dict[str, Any]:
    """`events` trades per second over `symbols` symbols, for `duration` s.

    Raises:
        BenchError: the publisher failed.
    """
    mapping = private_feed(Geometry(rows=max(symbols, 16)), 1, now_ns())
    with tempfile.TemporaryDirectory(prefix="ticker-bench-") as name:
        folder = Path(name)
        tape = Tape(mapping, FEED, folder, "UTC")
        pid = os.fork()
        if not pid:
            os._exit(publish(mapping, events, 0, symbols, duration))
        recorder = Recorder([tape], folder, max_bytes=1 << 40, interval=COMMIT)
        stop = threading.Event()
        threading.Timer(duration + AFTER, stop.set).start()
        began, cpu = time.monotonic(), time.process_time()
        recorder.serve(stop)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        _, status = os.waitpid(pid, 0)
        if status:
            raise BenchError("the synthetic publisher failed; its error is above")
        found = _found(folder)
        size = sum(each.path.stat().st_size for each in recorded(folder))
    table = PriceTable(mapping)
    published = sum((table.values(row) or {})["seq"] for row in range(len(table)))
    return {
        "void": "; ".join(recorder.failing.values()) or None,
        "events_per_second": round(found / duration),
        "recorder_cpu": round(cpu / duration, 4),
        "cpu_ns_per_event": round(1e9 * cpu / max(found, 1)),
        "bytes_per_event": round(size / max(found, 1), 2),
        "published": published,
        "recorded": found,
        "lapped": tape.lapped,
        "dropped": tape.dropped,
        "missed_uncounted": published - found - tape.lapped - tape.dropped,
        "seconds": round(seconds, 3),
    }


def _found(folder: Path) -> int:
    """Trades that are on the disk."""
    total = 0
    for file in recorded(folder):
        kinds = pq.read_table(file.path, columns=["kind"])["kind"]
        total += sum(
            each["counts"] for each in kinds.value_counts().to_pylist() if each["values"] == "trade"
        )
    return total
