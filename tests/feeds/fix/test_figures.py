"""The figures of a day that a FIX venue says itself: 269=3 to 8."""

from __future__ import annotations

import pytest

from tests.feeds.fix.market_data import SENT, UNIT, Feed
from ticker.feeds.fix.values import timestamp
from ticker.shm.layout import RowFlag
from ticker.shm.table import HAS

DAY = 86_400 * UNIT
MIDNIGHT = timestamp(SENT) // DAY * DAY + 5 * 3600 * UNIT
"""Of New York."""


def test_an_index_has_a_last_open_and_range_and_no_volume() -> None:
    feed = Feed()
    feed.send("W|55=IDX|268=1|269=3|270=5000.25")
    for value in ("5010", "4990.5", "5001"):
        feed.send(f"X|268=1|279=1|269=3|55=IDX|270={value}")
    row = feed.row("IDX")
    assert (row["price"], row["open"]) == (5001 * UNIT, 5_000_250_000_000)
    assert (row["high"], row["low"]) == (5010 * UNIT, 4_990_500_000_000)
    assert (row["volume"], row["trades"], row["seq"]) == (0, 0, 4)


def test_the_value_of_an_index_that_is_told_again_is_no_new_one() -> None:
    feed = Feed()
    for _ in range(3):
        feed.send("W|55=IDX|268=1|269=3|270=5000.25")
    assert feed.row("IDX")["seq"] == 1
    feed.send("X|268=1|279=2|269=3|55=IDX|270=1")
    assert (feed.row("IDX")["seq"], feed.row("IDX")["price"]) == (1, 5_000_250_000_000)


def test_high_and_low_are_the_venues_own() -> None:
    feed = Feed()
    feed.send("X|268=1|279=0|269=2|55=S|270=10|271=1")
    feed.send("W|55=S|268=2|269=7|270=12|269=8|270=9")
    assert (feed.row()["high"], feed.row()["low"]) == (12 * UNIT, 9 * UNIT)
    feed.send("X|268=1|279=0|269=2|55=S|270=10.5|271=1")
    assert (feed.row()["high"], feed.row()["low"]) == (12 * UNIT, 9 * UNIT)
    feed.send("X|268=1|279=1|269=7|55=S|270=11")
    assert (feed.row()["high"], feed.row()["low"]) == (11 * UNIT, 9 * UNIT)
    assert (feed.row()["price"], feed.row()["volume"]) == (10_500_000_000, 2)


def test_one_of_them_alone_is_both() -> None:
    feed = Feed()
    feed.send("W|55=S|268=1|269=8|270=9")
    row = feed.row()
    assert (row["high"], row["low"]) == (9 * UNIT, 9 * UNIT)
    assert row["flags"] & RowFlag.ROW_HAS == HAS["high"]
    feed.send("W|55=S|268=1|269=7|270=8")
    assert (feed.row()["high"], feed.row()["low"]) == (8 * UNIT, 8 * UNIT)


@pytest.mark.parametrize("mark", ["286=4", "272=20260101"])
@pytest.mark.parametrize("entry", ["3", "7", "8"])
def test_figures_of_the_day_before_are_none_of_this_one(entry: str, mark: str) -> None:
    feed = Feed(midnight=MIDNIGHT)
    feed.send(f"W|55=S|268=1|269={entry}|270=9|{mark}")
    assert feed.row()["flags"] & RowFlag.ROW_HAS == 0


@pytest.mark.parametrize("hours", [-13, -5, 0, 5, 10])
def test_the_date_of_today_is_today_in_every_zone(hours: int) -> None:
    feed = Feed(midnight=timestamp(SENT) // DAY * DAY + hours * 3600 * UNIT)
    feed.send("W|55=S|268=1|269=7|270=9|272=20260102")
    assert feed.row()["high"] == 9 * UNIT


def figures(feed: Feed) -> dict[str, float]:
    """Those that are there, in dollars."""
    row = feed.row()
    names = ("official_open", "official_close", "previous_close", "price")
    return {name: row[name] / UNIT for name in names if row["flags"] & HAS[name]}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("269=4|270=9", {"official_open": 9}),
        ("269=4|270=9|272=20260101", {}),
        ("269=4|270=9|286=4", {}),
        ("269=4|270=9|286=5", {}),
        ("269=5|270=9", {"previous_close": 9}),
        ("269=5|270=9|286=4", {"previous_close": 9}),
        ("269=5|270=9|272=20260101", {"previous_close": 9}),
        ("269=5|270=9|272=20260102", {"official_close": 9}),
        ("269=5|270=9|286=0", {"official_close": 9}),
        ("269=6|270=9", {"official_close": 9}),
        ("269=6|270=9|286=1", {"official_close": 9}),
        ("269=6|270=9|286=4", {"previous_close": 9}),
        ("269=6|270=9|272=20251231", {"previous_close": 9}),
        ("269=6|270=9|286=2", {}),
        ("269=6|270=9|286=0 3", {}),
    ],
)
def test_which_close_or_open_it_is(entry: str, expected: dict[str, float]) -> None:
    feed = Feed(midnight=MIDNIGHT)
    for _ in range(2):
        feed.send(f"W|55=S|268=1|{entry}")
        assert figures(feed) == expected
    assert (feed.row()["volume"], feed.row()["trades"]) == (0, 0)


def test_a_settlement_is_the_next_days_close() -> None:
    feed = Feed(midnight=MIDNIGHT)
    feed.send("X|268=1|279=0|269=2|55=S|270=10|271=1")
    feed.send("X|268=2|279=0|269=6|55=S|270=10.5|279=0|269=4|55=S|270=9.75")
    assert figures(feed) == {"official_open": 9.75, "official_close": 10.5, "price": 10}
    feed.send("X|268=1|279=1|269=6|55=S|270=10.25")
    feed.send("X|268=1|279=2|269=6|55=S|270=10.25")
    assert figures(feed)["official_close"] == 10.25
    feed.decoder.begin_day(MIDNIGHT + DAY)
    feed.market.publish(timestamp(SENT))
    assert figures(feed) == {"previous_close": 10.25, "price": 10}


def test_what_is_no_price_is_no_figure() -> None:
    feed = Feed()
    feed.send("W|55=S|268=3|269=7|270=-9|269=8|270=0|269=3|270=-1")
    assert feed.row()["flags"] & RowFlag.ROW_HAS == 0
    assert feed.counter("rejected_bad_price") == 1
