"""35=W and 35=X into a market: books by level and by id, trades, times, and refused messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.fix.market_data import SENT, UNIT, Feed
from ticker.cli.replay import command as replay
from ticker.feeds.fix.message import encode
from ticker.feeds.fix.values import timestamp
from ticker.feeds.workers.pipeline import build, default_session, feed_file, file_blocks
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable


def test_a_snapshot_replaces_the_book() -> None:
    feed = Feed()
    feed.send("W|55=S|268=3|269=0|270=10|271=5|269=0|270=9.5|271=7|269=1|270=11|271=6")
    assert feed.market.depth("S", 0) == [(10 * UNIT, 5), (9_500_000_000, 7)]
    assert feed.top() == (10 * UNIT, 5, 11 * UNIT, 6)
    feed.send("W|55=S|268=1|269=0|270=8|271=1")
    assert feed.top() == (8 * UNIT, 1, 0, 0)
    assert feed.counter("bad_records") == 0


def test_levels_change_one_by_one() -> None:
    feed = Feed()
    feed.send("W|55=S|268=2|269=0|270=10|271=5|269=1|270=11|271=6")
    feed.send("X|268=2|279=1|269=0|55=S|270=10|271=4|279=0|269=1|55=S|270=10.5|271=1")
    assert feed.top() == (10 * UNIT, 4, 10_500_000_000, 1)
    feed.send("X|268=1|279=2|269=1|55=S|270=10.5")
    assert feed.top() == (10 * UNIT, 4, 11 * UNIT, 6)


def test_entries_with_ids_are_orders() -> None:
    feed = Feed()
    feed.send("W|55=S|268=2|269=0|278=a|270=10|271=5|269=0|278=b|270=10|271=5")
    feed.send("X|268=1|279=1|278=a|55=S|271=3")
    assert feed.top() == (10 * UNIT, 8, 0, 0)
    feed.send("X|268=1|279=1|278=b|55=S|270=10.5")
    assert feed.top() == (10_500_000_000, 5, 0, 0)
    feed.send("X|268=1|279=2|278=b|55=S")
    assert feed.top() == (10 * UNIT, 3, 0, 0)
    feed.send("X|268=1|279=1|269=0|278=c|280=a|55=S|270=9|271=2")
    assert feed.top() == (9 * UNIT, 2, 0, 0)
    feed.send("X|268=1|279=2|278=a|55=S")
    assert feed.counter("unknown_orders") == 1
    feed.send("X|268=1|279=0|269=0|278=c|55=S|270=9.25|271=1")
    assert feed.top() == (9_250_000_000, 1, 0, 0)


def test_ids_of_two_symbols_are_two_orders() -> None:
    feed = Feed()
    feed.send("X|268=2|279=0|269=0|278=1|55=S|270=1|271=1|279=0|269=0|278=1|55=T|270=2|271=2")
    assert feed.top("S")[:2] == (UNIT, 1)
    assert feed.top("T")[:2] == (2 * UNIT, 2)


def test_a_symbol_lasts_until_the_next_one() -> None:
    feed = Feed()
    feed.send(
        "X|268=3|279=0|269=0|55=S|270=1|271=1|279=0|269=1|270=3|271=1|279=0|269=0|55=T|270=2|271=2"
    )
    assert feed.top("S") == (UNIT, 1, 3 * UNIT, 1)
    feed.send("X|55=T|268=1|279=0|269=1|270=4|271=2")
    assert feed.top("T") == (2 * UNIT, 2, 4 * UNIT, 2)


def test_the_top_of_the_book_alone() -> None:
    feed = Feed(depth=1)
    feed.send("W|55=S|268=2|269=0|270=10|271=5|269=1|270=11|271=6")
    feed.send("X|268=1|279=0|269=0|55=S|270=10.5|271=1")
    feed.send("X|268=1|279=2|269=0|55=S|270=10")
    assert feed.top() == (10_500_000_000, 1, 11 * UNIT, 6)
    feed.send("X|268=1|279=0|269=0|55=S|270=9|271=1")
    assert feed.top() == (9 * UNIT, 1, 11 * UNIT, 6)
    feed.send("X|268=1|279=2|269=1|55=S")
    assert feed.top() == (9 * UNIT, 1, 0, 0)


def test_trades_breaks_and_corrections() -> None:
    feed = Feed()
    feed.send("X|268=2|279=0|269=2|278=1|55=S|270=10|271=5|279=0|269=2|278=2|270=11|271=6")
    row = feed.row()
    assert (row["price"], row["size"], row["volume"], row["trades"]) == (11 * UNIT, 6, 11, 2)
    feed.send("X|268=1|279=1|269=2|278=2|55=S|270=12|271=1")
    assert (feed.row()["price"], feed.row()["volume"]) == (12 * UNIT, 6)
    feed.send("X|268=1|279=2|269=2|278=2|55=S")
    assert (feed.row()["price"], feed.row()["volume"]) == (10 * UNIT, 5)


def test_the_trade_of_a_snapshot_is_the_last_one_not_a_new_one() -> None:
    feed = Feed()
    for _ in range(3):
        feed.send("W|55=S|268=1|269=2|270=10|271=5")
    assert feed.row()["price"] == 10 * UNIT
    assert (feed.row()["volume"], feed.row()["seq"]) == (0, 1)


def test_what_trade_conditions_leave_out() -> None:
    feed = Feed()
    feed.send("X|268=1|279=0|269=2|55=S|270=10|271=1")
    feed.send("X|268=1|279=0|269=2|55=S|270=20|271=1|277=X B")
    feed.send("X|268=1|279=0|269=2|55=S|270=15|271=1|277=M")
    row = feed.row()
    assert (row["price"], row["high"], row["volume"]) == (10 * UNIT, 15 * UNIT, 3)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", b"20260102-14:30:00.250"),
        ("|272=20260102|273=14:29:59.999", b"20260102-14:29:59.999"),
        ("|273=14:30:00.001Z", b"20260102-14:30:00.001"),
        ("|273=20:40:00", b"20260101-20:40:00"),
        ("|272=20260105", b"20260102-14:30:00.250"),
    ],
)
def test_times_of_trades(fields: str, expected: bytes) -> None:
    feed = Feed()
    feed.send(f"X|268=1|279=0|269=2|55=S|270=10|271=5{fields}")
    assert feed.row()["exchange_time"] == timestamp(expected)


def test_fine_sizes_need_decimals() -> None:
    feed = Feed(size_exponent=8)
    feed.send("X|268=1|279=0|269=2|55=S|270=10.123456789|271=0.0031746")
    assert (feed.row()["price"], feed.row()["size"]) == (10_123_456_789, 317_460)
    feed = Feed()
    feed.send("W|55=S|268=1|269=0|270=10|271=0.5")
    assert feed.counter("bad_records") == 1


@pytest.mark.parametrize(
    ("text", "counter"),
    [
        ("8|55=S", "unknown_types"),
        ("W|268=1|269=0|270=1|271=1", "unknown_symbols"),
        ("W|55=S|268=2|269=0|270=1|271=1", "bad_records"),
        ("W|55=S|268=1|269=0|270=1e3|271=1", "bad_records"),
        ("W|55=S|268=1|269=0|270=1|271=-1", "bad_records"),
        ("W|55=S|268=1|269=00|270=1|271=1", "bad_records"),
        ("X|268=1|279=3|269=0|55=S|270=1|271=1", "bad_records"),
        ("X|268=1|279=0|269=0|55=S|270=1|271=1|273=25:00:00", "bad_records"),
        ("X|268=1|279=2|269=0|55=S", "unknown_orders"),
        ("X|268=1|279=0|269=0|278=a|55=S|270=-1|271=1", "bad_orders"),
        ("X|268=1|279=0|269=0|55=S|270=-1|271=1", "bad_orders"),
        ("X|268=1|279=0|269=0|55=A B|270=1|271=1", "unknown_symbols"),
        ("X|268=1|279=0|269=0|55=ABCDEFGHIJKLMNOPQRSTUVWXYZ|270=1|271=1", "unknown_symbols"),
        ("X|268=1|279=0|269=0|garbled", "bad_records"),
    ],
)
def test_what_is_refused_is_counted(text: str, counter: str) -> None:
    feed = Feed()
    feed.send(text)
    assert feed.counter(counter) == 1


@pytest.mark.parametrize(
    ("text", "decimals", "price"),
    [
        ("178.52999877929688", 2, 178_530_000_000),
        ("178.525", 2, 178_530_000_000),
        ("178.5249999999999999999", 2, 178_520_000_000),
        ("0.5", 0, UNIT),
        (".5", 0, UNIT),
        ("9.99999", 4, 10 * UNIT),
        ("1.0000000005", 9, 1_000_000_001),
        ("1.00000000049999", 9, UNIT),
        ("185.42", 4, 185_420_000_000),
        ("185", 4, 185 * UNIT),
    ],
)
def test_prices_are_rounded_as_declared(text: str, decimals: int, price: int) -> None:
    feed = Feed(price_decimals=decimals)
    feed.send(f"X|268=1|279=0|269=2|55=S|270={text}|271=1")
    assert feed.row()["price"] == price


def test_a_finer_price_is_refused_and_said_unless_declared() -> None:
    feed = Feed()
    feed.send("X|268=1|279=0|269=2|55=S|270=178.52999877929688|271=1")
    feed.send("X|268=1|279=0|269=2|55=S|270=178.5299987790000|271=1")
    feed.send("X|268=1|279=0|269=2|55=S|270=178.5x|271=1")
    assert (feed.counter("fine_prices"), feed.counter("bad_records")) == (1, 2)
    assert (feed.row()["price"], feed.row()["trades"]) == (178_529_998_779, 1)


FIELDS = st.tuples(
    st.sampled_from(
        [268, 269, 270, 271, 272, 273, 277, 278, 279, 280, 55, 52, 95, 34, 7, 48, 22, 65, 200]
        + 2 * [290, 1023]
    ),
    st.one_of(
        st.sampled_from([b"0", b"1", b"2", b"5", b"J", b"10.5", b"S", b"T", b"", b"20260102"]),
        st.binary(max_size=12),
    ),
)


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.sampled_from([b"W", b"X"]), st.lists(FIELDS, max_size=30)), max_size=5)
)
def test_any_fields_give_counters_or_prices(messages: list[tuple[bytes, list[Any]]]) -> None:
    feed = Feed()
    for kind, fields in messages:
        feed.decode(b"35=" + kind + b"\x01" + b"".join(b"%d=%b\x01" % field for field in fields))
    for row in range(len(feed.table)):
        assert feed.table.values(row) is not None


@given(st.binary(max_size=300))
def test_any_bytes_change_no_price(data: bytes) -> None:
    feed = Feed()
    feed.send("W|55=S|268=1|269=2|270=10|271=5")
    before = feed.row()
    feed.decode(data)
    assert feed.row() == before


# Captures


def expected_of(samples: Path) -> dict[str, dict[str, Any]]:
    """Last trade and book of each symbol in the valid sample frames, by reading them again."""
    found: dict[str, dict[str, Any]] = {}
    for line in (samples / "fix" / "md_frames_42_44.jsonl").read_text().splitlines():
        sample = json.loads(line)
        if not sample["valid"]:
            continue
        fields = [field.split("=", 1) for field in sample["frame_pipe"].split("|") if field]
        kind = dict(fields)["35"]
        if kind in "WX":
            entry(found, kind, [(tag, value) for tag, value in fields])
    return found


def entry(found: dict[str, dict[str, Any]], kind: str, fields: list[tuple[str, str]]) -> None:
    start = "269" if kind == "W" else "279"
    symbol = dict(fields)["55"]
    starts = [index for index, (tag, _) in enumerate(fields) if tag == start]
    for index, begin in enumerate(starts):
        each = dict(fields[begin : [*starts, len(fields)][index + 1]])
        state = found.setdefault(each.get("55", symbol), {"0": {}, "1": {}, "price": None})
        if each["269"] == "2":
            state["price"] = each["270"]
        elif each.get("279", "0") == "2":
            state[each["269"]].pop(float(each["270"]), None)
        else:
            state[each["269"]][float(each["270"])] = float(each["271"])


def test_the_published_frames_by_replay(samples: Path) -> None:
    path = str(samples / "fix" / "md_frames_42_44.jsonl")
    result = CliRunner().invoke(
        replay, [path, "--protocol", "fix", "--json"], catch_exceptions=False
    )
    report = json.loads(result.stdout)
    expected = expected_of(samples)
    assert set(report["symbols"]) == set(expected)
    assert report["messages"] == 7
    assert report["counters"]["bad_packets"] == 9
    # Sizes of a coin's fractions need decimals: those entries were refused, and counted.
    for symbol in ("CL", "EUR/USD"):
        row, state = report["symbols"][symbol], expected[symbol]
        assert float(row["bid"]) == max(state["0"]), symbol
        assert float(row["ask"]) == min(state["1"]), symbol
        assert row["price"] == state["price"]


def test_the_published_frames_with_fractions(samples: Path) -> None:
    mapping = private_feed(Geometry(rows=16, rings=1, ring_capacity=1024), 1, 1)
    assert default_session("fix") == "fix"
    pipeline = build(mapping, "fix", "fix", date(2018, 4, 17), size_exponent=4)
    feed_file(pipeline, file_blocks("fix")(samples / "fix" / "md_frames_42_44.jsonl"))
    table = PriceTable(mapping)
    rows = {table.symbol(row): table.values(row) for row in range(len(table))}
    coin = rows["tBTCUSD"]
    assert coin is not None
    assert (coin["price"], coin["size"]) == (1671 * UNIT, 1000)
    assert (coin["bid"], coin["bid_size"]) == (1_663_900_000_000, 400)


def test_a_log_of_an_engine_is_a_capture(tmp_path: Path, stamp: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "FIX.4.4-T-V.messages.log"
    lines = []
    for number in range(1, 50):
        lines.append(b"20260102-14:30:00.001 : " + stamp(b"%d" % number) + b"\n")
    path.write_bytes(b"".join(lines))
    result = CliRunner().invoke(
        replay, [str(path), "--protocol", "fix", "--json"], catch_exceptions=False
    )
    report = json.loads(result.stdout)
    assert report["messages"] == 49
    assert report["symbols"]["S"]["volume"] == 49
    assert report["counters"].get("bad_packets", 0) == report["gaps"] == 0


@pytest.fixture
def stamp() -> Callable[[bytes], bytes]:
    """A frame with this sequence number and one trade."""

    def frame(number: bytes) -> bytes:
        fields = [(35, b"X"), (34, number), (49, b"V"), (52, SENT), (56, b"T"), (268, b"1")]
        fields += [(279, b"0"), (269, b"2"), (278, b"T" + number), (55, b"S")]
        return encode(b"FIX.4.4", [*fields, (270, b"10.25"), (271, b"1")])

    return frame
