"""A feed's days: at midnight in its time zone totals start over, for every kind of feed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.every_kind import KINDS
from tests.feeds.mold_feed import heartbeat, packet
from tests.feeds.tables import row_of
from tests.feeds.worker_process import Worker, wait_for
from tests.feeds.zones import HOUR, SECOND, make_zone
from ticker.bench.rig.ports import free_port
from ticker.config import parse
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.units import parse_timestamp

UNIT = 10**9
AHEAD = (6, 12, 24)
"""s to midnight when a test begins; the next number, where not all workers were up by then."""


class TooLateError(Exception):
    """Midnight was before the trades that belong to the day before."""


@pytest.mark.slow
@pytest.mark.parametrize("change", [0, HOUR, -HOUR], ids=["24 h", "23 h", "25 h"])
def test_midnight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: int) -> None:
    """Trades before it and after it, in one session that only beats in between: the volume starts
    over, the first trade opens, and yesterday's official close is the close, not its last sale."""
    for ahead in AHEAD:
        folder = tmp_path / str(ahead)
        folder.mkdir()
        monkeypatch.setenv("PYTHONTZPATH", str(folder))
        try:
            _midnight(folder, int(time.time()) + ahead, change)
            return
        except TooLateError:
            continue
    pytest.fail(f"not every trade of the day before is told within {AHEAD[-1]} s")


def _midnight(tmp_path: Path, midnight: int, change: int) -> None:
    zone = make_zone(tmp_path, midnight, change=change)
    with contextlib.ExitStack() as stack:
        feeds = {}
        for kind, made in KINDS.items():
            folder = tmp_path / kind
            folder.mkdir()
            exchange = stack.enter_context(made(zone.yesterday, folder))
            worker = Worker(exchange.toml(f'timezone = "{zone.name}"'))
            stack.callback(worker.close)
            feeds[kind] = exchange, worker

        def rows(of: Callable[[dict[str, int]], bool]) -> Callable[[], bool]:
            return lambda: all(of(w.rows().get("AAPL", {})) for _, w in feeds.values())

        wait_for(lambda: all(exchange.has_listener for exchange, _ in feeds.values()))
        for exchange, _ in feeds.values():
            exchange.trade(101, time.time_ns())
            exchange.close(103, time.time_ns())
        in_time = rows(lambda row: row.get("official_close") == 103 * UNIT)
        wait_for(lambda: in_time() or time.time_ns() >= zone.today)
        for exchange, _ in feeds.values():
            exchange.trade(102, time.time_ns())
        in_time = rows(lambda row: row.get("price") == 102 * UNIT and row["volume"] >= 200)
        wait_for(lambda: in_time() or time.time_ns() >= zone.today)
        if time.time_ns() >= zone.today:
            raise TooLateError
        wait_for(rows(lambda row: row["volume"] == 0))
        assert time.time_ns() >= zone.today
        for exchange, worker in feeds.values():
            row = worker.rows()["AAPL"]
            assert (row["price"], row["previous_close"]) == (102 * UNIT, 103 * UNIT)
            assert row["official_close"] == 0
            assert (row["open"], row["high"], row["low"], row["trades"]) == (0, 0, 0, 0)
            exchange.midnight = zone.today
            exchange.trade(104, time.time_ns())
        wait_for(rows(lambda row: row["volume"] == 100))
        for kind, (_, worker) in feeds.items():
            row = worker.rows()["AAPL"]
            found = (row["open"], row["high"], row["low"], row["price"], row["previous_close"])
            assert found == (104 * UNIT, 104 * UNIT, 104 * UNIT, 104 * UNIT, 103 * UNIT), kind
            assert abs(row["exchange_time"] - time.time_ns()) < 60 * SECOND, kind
            assert row["session_start"] == zone.today, kind


class Clocked:
    """A feed of ITCH over MoldUDP64 in this process, by a clock that the test sets."""

    def __init__(self, start: str) -> None:
        self.now = parse_timestamp(start)
        self.segment = private_feed(Geometry(rows=16, rings=1, ring_capacity=64), 1, 1)
        feed = parse(
            '[[feeds]]\nname = "f"\nprotocol = "itch50"\nvenue = "XNAS"\n'
            f'lines = ["127.0.0.1:{free_port()}"]\n'
        ).feeds[0]
        self.worker = FeedWorker(feed, PrivateContext(self.segment), lambda: self.now)
        self.next: dict[bytes, int] = {}

    def hear(self, at: str, session: bytes, *messages: bytes) -> None:
        """A packet, or without messages a heartbeat."""
        self.now = parse_timestamp(at)
        first = self.next.setdefault(session, 1)
        data = packet(first, *messages, session=session) if messages else heartbeat(first, session)
        self.next[session] += len(messages)
        self.worker.session.receive_data(data, 0, self.now)
        self.worker.market.publish(self.now)
        self.worker.turn(self.now)

    def beat_until(self, end: str, session: bytes) -> None:
        """Heartbeats, one a minute."""
        while self.now < parse_timestamp(end):
            self.now += 60 * SECOND
            first = self.next[session]
            self.worker.session.receive_data(heartbeat(first, session), 0, self.now)
            self.worker.turn(self.now)

    @property
    def row(self) -> dict[str, int]:
        return row_of(PriceTable(self.segment), "AAPL")


A, B = b"MONDAY    ", b"TUESDAY   "


@pytest.fixture
def clocked() -> Any:
    made: list[Clocked] = []

    def make(start: str) -> Clocked:
        made.append(Clocked(start))
        return made[-1]

    yield make
    for each in made:
        each.worker.close()


def clock(hour: float) -> int:
    """ns that have elapsed since midnight."""
    return int(hour * HOUR * SECOND)


def sold(row: dict[str, int]) -> tuple[int, int, int]:
    return row["price"] // UNIT, row["volume"], row["previous_close"] // UNIT


def test_heartbeats_all_night_and_then_the_next_session(clocked: Any, itch: Any) -> None:
    """No end of session, so the feed is live all the time; New York's clocks are 4 h behind UTC."""
    feed = clocked("2026-03-30T13:30:00Z")
    feed.hear("2026-03-30T13:30:01Z", A, itch.trade(1, 200, 1_850_000, 1, time=clock(9.5)))
    assert sold(feed.row) == (185, 200, 0)
    feed.beat_until("2026-03-31T03:59:00Z", A)
    assert sold(feed.row) == (185, 200, 0)
    feed.beat_until("2026-03-31T13:29:00Z", A)
    assert sold(feed.row) == (185, 0, 185)
    assert feed.worker.presence.heartbeat.state == "live"
    feed.hear("2026-03-31T13:30:00Z", B, itch.trade(1, 300, 1_860_000, 1, time=clock(9.5)))
    feed.hear("2026-03-31T13:30:00Z", B)
    assert sold(feed.row) == (186, 300, 185)
    assert feed.row["exchange_time"] == parse_timestamp("2026-03-31T13:30:00Z")
    assert feed.worker.market.rejects() == []


def test_a_start_of_messages_in_the_same_session_begins_the_day(clocked: Any, itch: Any) -> None:
    """A venue that keeps one session for all days: O says that times count from today."""
    feed = clocked("2026-03-30T13:30:00Z")
    feed.hear("2026-03-30T13:30:01Z", A, itch.trade(1, 200, 1_850_000, 1, time=clock(9.5)))
    feed.hear("2026-03-31T07:00:00Z", A, itch.system("O", time=clock(3)))
    feed.hear("2026-03-31T07:00:01Z", A, itch.trade(1, 300, 1_860_000, 1, time=clock(3)))
    assert sold(feed.row) == (186, 300, 185)
    assert feed.row["exchange_time"] == parse_timestamp("2026-03-31T07:00:00Z")


def test_trades_on_both_sides_of_midnight(clocked: Any, itch: Any) -> None:
    """Times of day start over in the middle of the stream, a little before our own clock does;
    one that is late is still yesterday's, and changes no total of today."""
    feed = clocked("2026-03-31T03:59:00Z")
    late, soon = clock(24) - SECOND, SECOND // 2
    feed.hear("2026-03-31T03:59:58.9Z", A, itch.trade(1, 100, 1_850_000, 1, time=late))
    feed.hear("2026-03-31T03:59:59.8Z", A, itch.trade(1, 300, 1_860_000, 2, time=soon))
    assert sold(feed.row) == (186, 300, 185)
    assert feed.row["exchange_time"] == parse_timestamp("2026-03-31T04:00:00.5Z")
    feed.hear("2026-03-31T04:00:01Z", A, itch.trade(1, 700, 1_840_000, 3, time=late))
    assert sold(feed.row) == (186, 300, 185)
    feed.hear("2026-03-31T04:00:02Z", A, itch.trade(1, 100, 1_870_000, 4, time=2 * SECOND))
    assert sold(feed.row) == (187, 400, 185)


@pytest.mark.parametrize(
    ("evening", "morning", "hours"),
    [
        ("2026-03-07T18:00:00Z", "2026-03-08T13:30:00Z", 8.5),
        ("2026-10-31T18:00:00Z", "2026-11-01T14:30:00Z", 10.5),
    ],
)
def test_times_count_what_has_elapsed(
    clocked: Any, itch: Any, evening: str, morning: str, hours: float
) -> None:
    """At 09:30 of the day on which the clocks change, another number of hours has gone by."""
    feed = clocked(evening)
    feed.hear(evening, A, itch.trade(1, 100, 1_850_000, 1, time=clock(13)))
    feed.hear(morning, B, itch.trade(1, 300, 1_860_000, 1, time=clock(hours)))
    feed.hear(morning, B)
    assert sold(feed.row) == (186, 300, 185)
    assert feed.row["exchange_time"] == parse_timestamp(morning)


def test_a_clock_that_was_wrong_by_a_day(clocked: Any, itch: Any) -> None:
    """Set forward and back again: today's trades count once more."""
    feed = clocked("2026-03-30T13:30:00Z")
    feed.hear("2026-03-30T13:30:00Z", A, itch.trade(1, 200, 1_850_000, 1, time=clock(9.5)))
    feed.hear("2026-03-31T13:31:00Z", A)
    assert sold(feed.row) == (185, 0, 185)
    feed.hear("2026-03-30T13:32:00Z", A)
    feed.hear("2026-03-30T13:33:00Z", A, itch.trade(1, 300, 1_860_000, 2, time=clock(9.55)))
    assert sold(feed.row) == (186, 300, 185)
    assert feed.row["exchange_time"] == parse_timestamp("2026-03-30T13:33:00Z")
