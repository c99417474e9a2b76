"""The rings of rejects, as readers of another process see them, also after a writer's death."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from ticker.errors import SegmentError
from ticker.shm.header import KIND_FEED, Mapping
from ticker.shm.rejects import KEPT, RULES, RejectReader, RejectWriter
from ticker.shm.segment import Geometry, attach, create_feed, feed_name, private_feed, remove

SMALL = Geometry(rows=8, rings=1, ring_capacity=8)
E9 = 1_000_000_000


@pytest.fixture
def mapping() -> Mapping:
    return private_feed(SMALL, 7, 1)


def test_rules_have_counters_of_their_names(mapping: Mapping) -> None:
    assert len(RULES) == 10
    assert RejectReader(mapping).counts() == dict.fromkeys(RULES, 0)
    assert all(RejectReader(mapping).last(rule) == [] for rule in RULES)
    with pytest.raises(ValueError, match="not in"):
        RejectReader(mapping).last("taste")


def test_a_hundred_of_each_rule_are_kept_oldest_first(mapping: Mapping) -> None:
    writer, reader = RejectWriter(mapping), RejectReader(mapping)
    for number in range(300):
        writer.put("older", "A", price=number, size=number)
        if number == 3:
            writer.put("duplicate", "B", match=9)
    assert [each.price for each in reader.last("older")] == list(range(200, 300))
    assert [each.price for each in reader.last("older", 2)] == [298, 299]
    assert reader.last("older", 0) == reader.last("older", -1) == []
    assert len(reader.last("older", 1000)) == KEPT
    assert reader.counts() == dict.fromkeys(RULES, 0) | {"older": 300, "duplicate": 1}
    assert reader.last("duplicate")[0].symbol == "B"


def test_a_reject_is_told_in_words(mapping: Mapping) -> None:
    writer, reader = RejectWriter(mapping), RejectReader(mapping)
    said = {
        "duplicate": ((0, 0), "trade number 7 came before"),
        "bad_price": ((9 * E9, 0), "more than 9"),
        "bad_size": ((0, 0), "no shares"),
        "older": ((E9, 0), "the last sale was at 1970-01-01T00:00:01.000000Z"),
        "unconfirmed_jump": ((5 * E9, 6 * E9), "from 5, and the next was 6"),
        "clock_skew": ((-1_500_000_000, 0), "1.500 s behind its receive time"),
        "unknown_symbol": ((0, 0), "not a symbol that this feed has, or has room for"),
        "test_symbol": ((0, 0), "a test issue"),
        "wrong_session": (
            (0, -(2**63)),
            "the session is 1970-01-01T00:00:00.000000Z to 1677-09-21T00:12:43.145224Z",
        ),
        "too_old_to_tell": (
            (0, 0),
            "trade number 7 may have come before: it is of a time forgotten",
        ),
    }
    for rule, (detail, text) in said.items():
        writer.put(rule, "S" * 30, 10 * E9, 5, 1, 2, match=7, size_exponent=3, detail=detail)
        (reject,) = reader.last(rule)
        assert reject == (rule, "S" * 23, 10 * E9, 5, 1, 2, text, 7, 3)


def test_a_successor_goes_on_where_its_predecessor_died(mapping: Mapping) -> None:
    writer = RejectWriter(mapping)
    for number in range(130):
        writer.put("older", "A", price=number)
    RejectWriter(mapping).put("older", "B", price=130)
    reader = RejectReader(mapping)
    assert reader.counts()["older"] == 131
    assert [each.price for each in reader.last("older", 3)] == [128, 129, 130]


def test_only_the_owner_writes() -> None:
    mapping = Mapping(memoryview(bytearray(1 << 16)).toreadonly(), False)
    with pytest.raises(SegmentError, match="read-only"):
        RejectWriter(mapping)


def refuse_many(name: str, count: int) -> None:
    writer = RejectWriter(attach(name, KIND_FEED, writable=True))
    for number in range(count):
        writer.put("older", f"S{number}", number, number, number, number, match=number)


@pytest.mark.slow
def test_a_reader_sees_whole_rejects_while_another_process_writes() -> None:
    name = feed_name(f"test{os.getpid()}", "rejects")
    create_feed(name, SMALL, 7, 1)
    total = 200_000
    try:
        reader = RejectReader(attach(name, KIND_FEED))
        child = multiprocessing.get_context("spawn").Process(target=refuse_many, args=(name, total))
        child.start()
        seen = 0
        while reader.counts()["older"] < total:
            for each in reader.last("older"):
                seen += 1
                number = each.price
                assert each.symbol == f"S{number}"
                assert each[3:6] == (number, number, number)
                assert each.match == number
            assert child.is_alive() or reader.counts()["older"] == total
        child.join()
        assert child.exitcode == 0
        assert seen
        assert [each.price for each in reader.last("older")] == list(range(total - 100, total))
    finally:
        remove(name)
