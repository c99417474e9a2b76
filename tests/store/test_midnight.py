"""A whole server that is started anew at every second around midnight, also where a day has 23 or
25 hours: previous close, volume, days and bars are right each time. The test drives the clock."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from ticker.config import FeedConfig, parse
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.workers.mappings import load_mapping, options_of
from ticker.feeds.workers.pipeline import CAPTURE_RULES, build, follow_days
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import HAS, PriceTable
from ticker.store.chronicle import Chronicle
from ticker.store.last import FeedSnapshots
from ticker.store.past import read_days, read_minutes
from ticker.store.reader import HistoryReader
from ticker.store.sqlite import History
from ticker.supervisor.feeds.restored import restore_feed

SECOND = 1_000_000_000
E9 = 1_000_000_000
AROUND = 30
MAPPING = """
[[records]]
name = "trade"
kind = "trade"
symbol = "s"
price = "p"
size = "q"
time = "t"
time_unit = "ms"
"""
CONFIG = """
[[feeds]]
name = "desk"
protocol = "json"
mapping = "{mapping}"
venue = "XNAS"
timezone = "{timezone}"
url = "tcp://127.0.0.1:1"
"""
MIDNIGHTS = [
    ("America/New_York", date(2026, 3, 8)),  # 23 hours begin
    ("America/New_York", date(2026, 3, 9)),  # ... and are over
    ("America/New_York", date(2026, 11, 1)),  # 25 hours begin
    ("America/New_York", date(2026, 11, 2)),
    ("Europe/London", date(2026, 3, 30)),
    ("Asia/Tokyo", date(2026, 4, 1)),  # a month of its own begins before that of UTC
]


class Life:
    """One start of the server, one second, one end."""

    def __init__(self, folder: Path, feed: FeedConfig, now: int, boot_id: int) -> None:
        self.now = now
        self.mapping = private_feed(Geometry(8, 1, 64), boot_id, now)
        restore_feed(self.mapping, feed, folder, now, 30)
        self.table = PriceTable(self.mapping)
        self.history = History(folder)
        self.chronicle = Chronicle(self.mapping, "desk", self.history, boot_id, now, 1024)
        self.snapshots = FeedSnapshots(self.mapping, folder, "desk")
        day = session_day(now, feed.timezone)
        assert feed.mapping is not None
        self.pipeline = build(
            self.mapping,
            "json",
            "jsonstream",
            day,
            venue="XNAS",
            timezone=feed.timezone,
            rules=CAPTURE_RULES,
            **options_of(load_mapping(feed.mapping)),
        )
        follow_days(self.pipeline, feed.timezone, by_receive_time=True)
        self.pipeline.market.adopt_rows(rebuild=False)

    def trade(self, price: int, size: int) -> None:
        text = f'{{"s":"AAPL","p":{price},"q":{size},"t":{self.now // 1_000_000}}}\n'
        self.pipeline.session.receive_data(text.encode(), 0, self.now)
        self.pipeline.market.publish(self.now)

    def values(self) -> dict[str, int]:
        return (self.table.values(0) or {}) if len(self.table) else {}

    def end(self) -> None:
        self.chronicle.days.look()
        self.chronicle.read(self.now)
        self.chronicle.write(self.now)
        self.snapshots.take(self.now)
        self.history.close()


@pytest.mark.slow
@pytest.mark.parametrize(("timezone", "day"), MIDNIGHTS)
def test_started_anew_at_every_second(tmp_path: Path, timezone: str, day: date) -> None:
    mapping = tmp_path / "own.toml"
    mapping.write_text(MAPPING)
    (feed,) = parse(CONFIG.format(mapping=mapping, timezone=timezone)).feeds
    midnight = midnight_ns(day, timezone)
    yesterday = midnight_ns(day - timedelta(days=1), timezone)
    last = before = 0
    volume = {yesterday: 0, midnight: 0}
    bars: dict[int, int] = {}
    for second in range(-AROUND, AROUND):
        today = midnight if second >= 0 else yesterday
        life = Life(tmp_path, feed, midnight + second * SECOND, AROUND + second + 1)
        restored = life.values()
        if restored:
            assert restored["session_start"] == today
            assert restored["volume"] == volume[today]
            assert restored["price"] == last * E9
            closed = restored["previous_close"] if restored["flags"] & HAS["previous_close"] else 0
            assert closed == (before * E9 if second >= 0 else 0)
        if second % 3:
            if second < 0:
                before = 100 + second % 7
            last = 100 + second % 7
            life.trade(last, 10 + second % 5)
            volume[today] += 10 + second % 5
            minute = (life.now // SECOND) // 60 * 60
            bars[minute] = bars.get(minute, 0) + 10 + second % 5
            shown = life.values()
            assert (shown["price"], shown["volume"]) == (last * E9, volume[today])
            assert shown["previous_close"] == (before * E9 if second >= 0 else 0)
        life.end()
    days = {row["day"]: row for row in read_days(HistoryReader(tmp_path), "AAPL", 5)}
    names = [(day - timedelta(days=1)).isoformat(), day.isoformat()]
    assert list(days) == names
    assert [int(days[name]["volume"]) for name in names] == [volume[yesterday], volume[midnight]]
    assert days[names[0]]["close"] == days[names[1]]["previous_close"] == before * E9
    kept = read_minutes(HistoryReader(tmp_path), "AAPL", 0, 1 << 40)
    assert {row["minute"]: row["volume"] for row in kept} == bars
    assert kept[-1]["close"] == last * E9
