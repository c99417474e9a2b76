"""The ledger of gaps: every missing number is in one count, whoever writes and whenever he dies."""

from __future__ import annotations

import mmap
import os
import random
import signal

import pytest

from ticker.errors import SegmentError
from ticker.shm.counters import Counters
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.gap_view import GapView
from ticker.shm.gaps import BECAME, KEPT, SETTLE_NS, GapLedger, GapReader
from ticker.shm.header import KIND_FEED, Mapping, segment_size
from ticker.shm.segment import Geometry, private_feed, private_gateway

SECOND = 1_000_000_000
SMALL = Geometry(rows=2, rings=1, ring_capacity=2)


def agrees(gap: GapView) -> bool:
    parts = gap.sums()
    missing = parts.pop("missing")
    parts.pop("requests")
    return missing == sum(parts.values()) and min(parts.values()) >= 0


def test_a_gap_from_its_finding_to_its_end() -> None:
    mapping = private_feed(SMALL, 1, 1)
    ledger, reader = GapLedger(mapping), GapReader(mapping)
    gap = ledger.found_from_python(5, 15, 3 * SECOND, line=1, session=b"DAY1")
    ledger.requested_from_python(gap)
    ledger.became_from_python(gap, "recovered", 6, 4 * SECOND)
    (shown,) = reader.last()
    assert (shown.state, shown.open, shown.requests, shown.closed_ns) == ("open", 4, 1, 0)
    ledger.became_from_python(gap, "filled_by_line", 1, 4 * SECOND)
    ledger.became_from_python(gap, "lost_upstream", 3, 5 * SECOND)
    (shown,) = reader.last()
    assert (shown.state, shown.open, shown.closed_ns) == ("lost", 0, 5 * SECOND)
    assert shown.as_json() == {
        "number": 1,
        "first": 5,
        "last": 14,
        "session": "DAY1",
        "channel": None,
        "line": "b",
        "state": "lost",
        "detected_timestamp": "1970-01-01T00:00:03.000000Z",
        "closed_timestamp": "1970-01-01T00:00:05.000000Z",
        "missing": 10,
        "filled_by_line": 1,
        "recovered": 6,
        "lost_upstream": 3,
        "lost_downstream": 0,
        "withdrawn": 0,
        "open": 0,
        "requests": 1,
        "ticks": 0,
        "conflated": 0,
        "lagged": 0,
        "lapped": 0,
    }
    assert reader.sums().sums() == shown.sums()
    assert reader.sums().number == 1


def test_memory_is_bounded_and_the_sums_are_not() -> None:
    mapping = private_feed(SMALL, 1, 1)
    ledger, reader = GapLedger(mapping), GapReader(mapping)
    chance = random.Random(1)
    parts = dict.fromkeys(BECAME, 0)
    missing = 0
    open_gaps: dict[int, int] = {}
    for step in range(5 * KEPT):
        length = chance.randrange(1, 50)
        open_gaps[ledger.found_from_python(step, step + length, step)] = length
        missing += length
        for _ in range(2):
            # Some of them are long out of the slots.
            gap = chance.choice(list(open_gaps))
            what, by = chance.choice(BECAME), chance.randint(1, open_gaps[gap])
            ledger.became_from_python(gap, what, by, step)
            parts[what] += by
            open_gaps[gap] -= by
            if not open_gaps[gap]:
                del open_gaps[gap]
    sums = reader.sums()
    assert {name: getattr(sums, name) for name in BECAME} == parts
    assert (sums.number, sums.missing, sums.open) == (5 * KEPT, missing, sum(open_gaps.values()))
    shown = reader.last()
    assert [gap.number for gap in shown] == list(range(4 * KEPT + 1, 5 * KEPT + 1))
    assert all(map(agrees, [sums, *shown]))
    assert GapReader(mapping).last(3) == shown[-3:]


def write_for_ever(mapping: Mapping, seed: int) -> None:
    ledger, chance = GapLedger(mapping), random.Random(seed)
    ledger.take_over(1)
    while True:
        gap = ledger.found_from_python(1, 101, 1)
        for _ in range(4):
            ledger.became_from_python(gap, chance.choice(BECAME), chance.randint(1, 25), 2)


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_sums_that_agree() -> None:
    mapping = private_feed(SMALL, 1, 1)
    reader = GapReader(mapping)
    chance = random.Random(2)
    for seed in range(40):
        before = reader.sums().number
        child = os.fork()
        if not child:
            write_for_ever(mapping, seed)
        try:
            while reader.sums().number < before + chance.randrange(1, 3000):
                assert all(map(agrees, [reader.sums(), *reader.last(10)]))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert all(map(agrees, [reader.sums(), *reader.last()]))
    GapLedger(mapping).take_over(3)
    assert reader.sums().open == 0
    assert reader.sums().missing == 100 * reader.sums().number
    assert not any(gap.open for gap in reader.last())


def test_a_successor_closes_what_was_left_open() -> None:
    mapping = private_feed(SMALL, 1, 1)
    first = GapLedger(mapping)
    single = first.found_from_python(1, 11, 1)
    stream = first.found_from_python(1, 6, 1, channel=0)
    first.became_from_python(single, "recovered", 4, 2)
    GapLedger(mapping).take_over(3)
    one, other = GapReader(mapping).last()
    assert (one.recovered, one.withdrawn, one.open, one.state) == (4, 6, 0, "withdrawn")
    assert (other.channel, other.lost_downstream, other.open, other.state) == (0, 5, 0, "lost")
    assert stream == other.number
    assert agrees(GapReader(mapping).sums())


def test_what_clients_felt() -> None:
    mapping, gateway = private_feed(SMALL, 1, 1), private_gateway(1)
    feed, clients = Counters(mapping), Counters(gateway)
    ledger, reader = GapLedger(mapping), GapReader(mapping)
    ledger.watch(DoorbellRinger([(gateway, 0)]))
    feed.add("trades", 100)
    clients.add("conflated", 1000)
    gap = ledger.found_from_python(1, 3, SECOND)
    feed.add("trades", 5)
    clients.add("conflated", 7)
    assert [(each.ticks, each.conflated) for each in reader.last(1, [gateway])] == [(5, 7)]
    ledger.became_from_python(gap, "recovered", 2, 2 * SECOND)
    feed.add("quotes", 2)
    clients.add("lagged", 3)
    clients.add("records_skipped", 4)
    ledger.settle(2 * SECOND + SETTLE_NS - 1)
    feed.add("quotes", 1)
    ledger.settle(2 * SECOND + SETTLE_NS)
    clients.add("conflated", 100)
    ledger.settle(2 * SECOND + 2 * SETTLE_NS)
    (shown,) = reader.last(1, [gateway])
    assert (shown.ticks, shown.conflated, shown.lagged, shown.lapped) == (8, 7, 3, 4)


def test_only_the_owner_writes() -> None:
    size = segment_size(KIND_FEED, 2, 1, 2)
    memory = mmap.mmap(-1, size)
    Mapping(memory, True).format(KIND_FEED, 1, 1, 2, 1, 2)
    with pytest.raises(SegmentError, match="only its owner"):
        GapLedger(Mapping(memory, False))
