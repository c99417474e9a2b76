"""Shared memory under stress, with real processes, and the cost of its calls.

`ticker bench shm` runs all of it; the tests run the same functions, briefly in `make test` and
in full in `make stress`. Nothing here judges: the figures that must be 0 are named `torn`,
`backwards`, `uncounted`, `waited_1ms` and `lost`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from ticker.bench.shm import cost as shm_cost
from ticker.bench.shm.stage import Stage, stage
from ticker.bench.shm.stress import (
    READY,
    STOP,
    die_in_record,
    die_in_row,
    read_records,
    read_rows,
    read_rows_carelessly,
    read_rows_timed,
    ring_rounds,
    sleep_rounds,
    write_records,
    write_rows,
)
from ticker.errors import TickerError
from ticker.shm import segment
from ticker.shm.counters import Counters
from ticker.shm.doorbell import Doorbell, DoorbellRinger
from ticker.shm.header import KIND_GATEWAY, Mapping
from ticker.shm.layout import RECORD_WORDS, VALUE_WORDS
from ticker.shm.ring import RingReader, RingWriter
from ticker.shm.table import PriceTable, TableWriter


def run(reads: int, laps: int, kills: int, rounds: int) -> dict[str, Any]:
    """Everything, its figures side by side under the names of their parts."""
    parts = {
        "rows": stress_rows(reads),
        "ring": stress_ring(laps),
        "kills": stress_kills(kills, kills),
        "doorbell": ping_pong(rounds),
    }
    found = {f"{part}_{name}": each for part in parts for name, each in parts[part].items()}
    torn = found["rows_torn"] + found["ring_torn"] + found["kills_torn"]
    torn += found["kills_records_torn"] + found["rows_backwards"] + found["kills_backwards"]
    return {"void": None, "torn": torn, **found, **costs()}


def stress_rows(reads: int, rows: int = 64, readers: int = 2) -> dict[str, Any]:
    """One writer at full speed, `readers` readers, `reads` row reads in all, each checked."""
    with stage(rows, 2) as run:

        def write() -> int:
            return write_rows(TableWriter(run.attach(writable=True)), run.control, 1)

        def read(reader: int) -> object:
            return read_rows(PriceTable(run.attach()), run.control, reader, reads // readers)

        start = time.monotonic()
        writer = run.start(write, 0)
        waiting = [run.start(partial(read, reader), reader + 1) for reader in range(readers)]
        results = [child.result() for child in waiting]
        run.control[STOP] = 1
        timed = {"over_1ms", "over_1ms_preempted", "waited_1ms", "longest_ns"}
        return {
            **{name: each for name, each in _total(results).items() if name not in timed},
            "published": writer.result(),
            "in_table": rows,
            "seconds": round(time.monotonic() - start, 3),
        }


def careless_reads(reads: int) -> int:
    """Torn copies that a reader sees that ignores the generation: the check's own test."""
    with stage(1, 2) as run:
        run.start(lambda: write_rows(TableWriter(run.attach(writable=True)), run.control, 1), 0)
        reader = run.start(lambda: read_rows_carelessly(PriceTable(run.attach()), reads), 1)
        torn: int = reader.result()
        run.control[STOP] = 1
        return torn


def stress_ring(laps: int, capacity: int = 1024, readers: int = 2) -> dict[str, Any]:
    """A ring written round `laps` times at full speed; readers check each record and count."""
    published = laps * capacity
    with stage(1, capacity) as run:

        def read(reader: int) -> object:
            ring = RingReader(run.attach(), 0)
            return read_records(ring, run.control, reader, published)

        def write() -> int:
            ring = RingWriter(run.attach(writable=True), 0)
            return write_records(ring, run.control, published)

        start = time.monotonic()
        waiting = [run.start(partial(read, reader), reader + 1) for reader in range(readers)]
        run.wait_ready(readers)
        written = run.start(write, 0).result()
        results = [child.result() for child in waiting]
        return {
            **_total(results),
            "uncounted": sum(abs(written - each["received"] - each["skipped"]) for each in results),
            "published": written,
            "capacity": capacity,
            "seconds": round(time.monotonic() - start, 3),
        }


def stress_kills(kills: int, plain: int = 0, seed: int = 1) -> dict[str, Any]:
    """`kills` writers that die by SIGKILL between two words of a row or record, `plain` more
    that are killed at a random moment; each is followed by a successor that repairs, while two
    readers read rows against the clock and one receives records."""
    dice = random.Random(seed)
    with stage(64, 1024) as run:

        def read(reader: int) -> object:
            return read_rows_timed(PriceTable(run.attach()), run.control, reader)

        def receive() -> object:
            return read_records(RingReader(run.attach(), 0), run.control, 2, 2**62)

        readers = [run.start(partial(read, reader), reader + 1) for reader in range(2)]
        receiver = run.start(receive, 1)
        run.wait_ready(3)
        cut = [_kill_one(run, dice, life, life < kills) for life in range(kills + plain)]
        last = TableWriter(run.attach(writable=True))
        ring = RingWriter(run.attach(writable=True), 0)
        run.control[STOP] = 1
        received = receiver.result()
        return {
            **_total([child.result() for child in readers]),
            "killed": len(cut),
            "in_row": sum(each == "row" for each in cut),
            "in_record": sum(each == "record" for each in cut),
            "between": sum(each == "between" for each in cut),
            "repaired": Counters(run.attach())["rows_repaired"] + last.repaired,
            "records": received["received"],
            "records_torn": received["torn"],
            "records_skipped": received["skipped"],
            "records_uncounted": ring.cursor - received["received"] - received["skipped"],
        }


def _kill_one(run: Stage, dice: random.Random, life: int, planned: bool) -> str:
    """One writer's life and death; where it was cut."""
    run.control[READY + 3] = 0
    first = (life + 1) << 32
    some, row, in_row = dice.randrange(3000), dice.randrange(64), dice.random() < 0.5
    words = dice.randrange((VALUE_WORDS if in_row else RECORD_WORDS) + 1)

    def live() -> None:
        mapping = run.attach(writable=True)
        table, ring = TableWriter(mapping), RingWriter(mapping, 0)
        Counters(mapping).add("rows_repaired", table.repaired)
        run.control[READY + 3] = 1
        if not planned:
            write_rows(table, run.control, first)
        write_rows(table, run.control, first, some)
        write_records(ring, run.control, some)
        if in_row:
            die_in_row(table, first + some, row, words)
        die_in_record(ring, words)

    child = run.start(live, 0)
    if not planned:
        run.wait_ready(4)
        time.sleep(dice.random() * 0.002)
        child.kill()
    if child.wait() != signal.SIGKILL:
        raise TickerError(f"a writer ended with status {child.status}, not by SIGKILL")
    run.children.remove(child)
    table = PriceTable(run.attach())
    if any(table.generation(row) & 1 for row in range(len(table))):
        return "row"
    return "record" if planned else "between"


def ping_pong(rounds: int, timeout_ms: int = 10_000) -> dict[str, Any]:
    """A publisher that writes and rings, a sleeper that arms, looks again and sleeps."""
    bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    gateway = segment.gateway_name("stress", os.getpid())
    segment.create_worker(gateway, KIND_GATEWAY, 1, time.time_ns())
    with ExitStack() as stack:
        stack.callback(os.close, bell)
        stack.callback(segment.remove, gateway)
        run = stack.enter_context(stage(1, 1024))

        def sleep() -> object:
            door = Doorbell(segment.attach(gateway, KIND_GATEWAY, writable=True), bell)
            ring = RingReader(run.attach(), 0)
            run.control[READY] = 1
            return sleep_rounds(ring, door, run.control, rounds, timeout_ms)

        def publish() -> int:
            doors = [(segment.attach(gateway, KIND_GATEWAY), bell)]
            ring = RingWriter(run.attach(writable=True), 0)
            return ring_rounds(ring, DoorbellRinger(doors), run.control, rounds)

        sleeper = run.start(sleep, 1)
        run.wait_ready(1)
        publisher = run.start(publish, 0)
        result: dict[str, Any] = sleeper.result()
        return {**result, "rung": publisher.result()}


def costs(times: int = 2_000_000) -> dict[str, float]:
    """CPU time in ns per call. Cross-core: what one core has just written, read on another
    (the process moves itself), or written again after another core has read it."""
    cores = sorted(os.sched_getaffinity(0))
    here, there = cores[0], cores[-1]
    mapping = segment.private_feed(segment.Geometry(16_384, 1, 65_536), 1, 0)
    table, ring = TableWriter(mapping), RingWriter(mapping, 0)
    for row in range(16_384):
        table.add(f"S{row}")
    found: dict[str, float] = {}
    try:
        os.sched_setaffinity(0, {here})
        for rows in (1, 1024, 16_384):
            for _ in range(2):  # the first round warms up
                found[f"publish_{rows}_rows_ns"] = _ns(
                    partial(shm_cost.publish_many, table, rows, times), times
                )
                found[f"read_{rows}_rows_ns"] = _ns(
                    partial(shm_cost.read_many, table, rows, times), times
                )
        found["ring_write_ns"] = _ns(lambda: shm_cost.write_many(ring, times), times)
        found["ring_read_ns"] = _ring_read_cost(mapping, ring, times, here, here)
        for rows in (1024, 16_384):
            found.update(_cross_core(table, rows, times, here, there))
        found["ring_read_cross_core_ns"] = _ring_read_cost(mapping, ring, times, here, there)
    finally:
        os.sched_setaffinity(0, set(cores))
    return {name: round(value, 1) for name, value in found.items()}


def _cross_core(
    table: TableWriter, rows: int, times: int, here: int, there: int
) -> dict[str, float]:
    reading = writing = 0.0
    turns = max(2, times // rows // 4)
    for _ in range(turns):
        os.sched_setaffinity(0, {here})
        writing += _ns(lambda: shm_cost.publish_many(table, rows, rows), rows)
        os.sched_setaffinity(0, {there})
        reading += _ns(lambda: shm_cost.read_many(table, rows, rows), rows)
    return {
        f"publish_{rows}_rows_cross_core_ns": writing / turns,
        f"read_{rows}_rows_cross_core_ns": reading / turns,
    }


def _ring_read_cost(
    mapping: Mapping, ring: RingWriter, times: int, writer: int, reader: int
) -> float:
    receiver, batch = RingReader(mapping, 0), 8192
    spent, turns = 0.0, max(2, times // batch)
    for _ in range(turns):
        os.sched_setaffinity(0, {writer})
        shm_cost.write_many(ring, batch)
        os.sched_setaffinity(0, {reader})
        spent += _ns(lambda: shm_cost.receive_many(receiver, batch), batch)
    return spent / turns


def _ns(work: Callable[[], object], calls: int) -> float:
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / calls


def _total(results: list[dict[str, int]]) -> dict[str, int]:
    """Sums over the readers; of `most_…` and `longest_…` the largest."""
    return {
        name: (max if name.startswith(("most", "longest")) else sum)(each[name] for each in results)
        for name in results[0]
    }
