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


def test_what_is_no_price_is_no_figure() -> None:
    feed = Feed()
    feed.send("W|55=S|268=3|269=7|270=-9|269=8|270=0|269=3|270=-1")
    assert feed.row()["flags"] & RowFlag.ROW_HAS == 0
    assert feed.counter("rejected_bad_price") == 1
