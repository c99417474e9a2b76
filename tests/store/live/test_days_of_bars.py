"""The bar of a day has 25 hours and 23 hours on the days that do."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ticker.shm.bars.published import SPAN_SECONDS, BarsReader, BarState, BarsWriter
from ticker.shm.ring import RingWriter
from ticker.shm.segment import Geometry, private_bars, private_feed
from ticker.shm.table import TableWriter
from ticker.store.live.bars import GRACE_NS, LiveBars
from ticker.store.live.motion import day_ends

E9 = 1_000_000_000
HOUR = 3600 * E9
EASTERN = "America/New_York"
TRADE, CANCELLED = 1, 6
FORMING, FINAL, UPDATED = BarState


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 11, 1), 25), ((2026, 3, 8), 23), ((2026, 3, 9), 24)]
)
def test_the_bar_of_a_day_lasts_as_long_as_the_day(day: tuple[int, int, int], hours: int) -> None:
    midnight = int(datetime(*day, tzinfo=ZoneInfo(EASTERN)).timestamp()) * E9
    after = midnight + hours * HOUR
    mapping, segment = private_feed(Geometry(16, 1, 1 << 10), 1, 1), private_bars(64, 1 << 10)
    live = LiveBars([("f", mapping)], BarsWriter(segment), 1 << 10, [day_ends(EASTERN)])
    table, ring, reader = TableWriter(mapping), RingWriter(mapping, 0), BarsReader(segment)
    row = table.add("AAPL", "XNAS")

    def record(number: int, kind: int, time: int) -> None:
        ring.put(row, kind, 100 * E9, 10, time, number, time, conditions=15)

    def days(steady: int) -> dict[int, tuple[int, int]]:
        """State and trades of each bar of a day that was told."""
        live.read(steady)
        live.close(steady)
        live.publish(steady)
        return {
            words["start"]: (words["state"], words["trades"])
            for words in reader.take(1 << 10)
            if SPAN_SECONDS[words["span"]] == 86_400
        }

    def trade(number: int, time: int, session: int) -> None:
        table.put(row, session_start=session, exchange_time=time, publish_time=time)
        record(number, TRADE, time)

    trade(1, midnight - E9, midnight - 24 * HOUR)
    days(0)
    for number, time in enumerate((midnight, midnight + 12 * HOUR, after - 2 * E9), 2):
        trade(number, time, midnight)
    assert days(1)[midnight] == (FORMING, 3), "the last hour is of the day"
    record(4, CANCELLED, after - 2 * E9)
    assert days(E9) == {midnight: (FORMING, 2)}
    assert days(2 * E9 + GRACE_NS + 1) == {midnight: (FINAL, 2)}, "it ends with the day, not before"
    trade(5, after, after)
    assert days(3 * E9) == {after: (FORMING, 1)}
    trade(6, after - E9, after)
    assert days(4 * E9) == {midnight: (UPDATED, 3)}, "late"
