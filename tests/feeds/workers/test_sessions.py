"""A second session within a day, and a feed worker that dies: totals and `seq` go on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.feeds.itch_venue import DAY, GEOMETRY, Served, Venue
from tests.feeds.tables import rows_of
from tests.feeds.worker_process import wait_for
from ticker.feeds.day import midnight_ns
from ticker.feeds.workers.pipeline import build
from ticker.shm.segment import private_feed
from ticker.shm.table import PriceTable
from ticker.store.restore import restore
from ticker.store.snapshot import Contents, Image

KEPT = ("volume", "trades", "seq")


def kept(rows: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {symbol: {name: row[name] for name in KEPT} for symbol, row in rows.items()}


def of_sessions(venue: Venue, *lengths: int) -> dict[str, dict[str, int]]:
    """What a pipeline shows that had these sessions one after the other, and never died."""
    mapping = private_feed(GEOMETRY, 1, 0)
    pipeline = build(mapping, "itch50", "binaryfile", DAY, venue="XNAS")
    for length in lengths:
        pipeline.protocol.begin_session()
        pipeline.session.receive_data(b"".join(venue.messages[:length]), 0, 1)
        pipeline.market.publish(1)
    return kept(rows_of(PriceTable(mapping)))


def begin(venue: Venue, name: bytes) -> None:
    venue.session, venue.next = name, 1


def caught_up(feed: Served, venue: Venue) -> None:
    wait_for(
        lambda: feed.next == venue.next and feed.heartbeat.state == "live",
        venue.turn,
    )


def die(feed: Served) -> dict[str, dict[str, int]]:
    """What it has shown."""
    before = feed.rows()
    assert feed.end(signal.SIGKILL) == -signal.SIGKILL
    return before


def assert_range_holds(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> None:
    for symbol, row in before.items():
        if row["trades"]:
            assert after[symbol]["high"] >= row["high"]
            assert 0 < after[symbol]["low"] <= row["low"]
            assert after[symbol]["open"] == row["open"]


@pytest.mark.slow
def test_a_worker_dies_in_the_second_session_of_a_day(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve(request_attempts=40)
    feed.start()
    venue.send(2000)
    caught_up(feed, venue)
    begin(venue, b"SECOND0001")
    venue.send(1000)
    wait_for(lambda: feed["sessions"] == 2, venue.turn)
    caught_up(feed, venue)
    assert kept(feed.rows()) == of_sessions(venue, 2000, 1000)
    for length in (1200, 1400):
        before = die(feed)
        venue.send(200)
        feed.start()
        caught_up(feed, venue)
        assert_range_holds(before, feed.rows())
        assert kept(feed.rows()) == of_sessions(venue, 2000, length)


@pytest.mark.slow
def test_a_session_begins_while_the_worker_is_dead(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve(request_attempts=40)
    feed.start()
    venue.send(2000)
    caught_up(feed, venue)
    before = die(feed)
    begin(venue, b"SECOND0001")
    venue.send(1000)
    feed.start()
    caught_up(feed, venue)
    assert_range_holds(before, feed.rows())
    assert kept(feed.rows()) == of_sessions(venue, 2000, 1000)
    die(feed)
    venue.send(300)
    feed.start()
    caught_up(feed, venue)
    assert kept(feed.rows()) == of_sessions(venue, 2000, 1300)


@pytest.mark.slow
def test_a_session_begins_while_the_one_before_is_computed_again(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve(request_attempts=40)
    feed.start()
    venue.send(2000)
    caught_up(feed, venue)
    before = die(feed)
    seen, reached = feed["messages"], venue.next

    def answer_in_part() -> None:
        venue.next = 1500
        venue.serve()
        venue.next = reached
        venue.announce()

    feed.start()
    wait_for(lambda: feed["messages"] > seen + 1000, answer_in_part)
    assert feed.heartbeat.state in ("starting", "recovering")
    begin(venue, b"SECOND0001")
    venue.send(1000)
    caught_up(feed, venue)
    assert_range_holds(before, feed.rows())
    assert kept(feed.rows()) == of_sessions(venue, 2000, 1000)
    die(feed)
    venue.send(300)
    feed.start()
    caught_up(feed, venue)
    assert kept(feed.rows()) == of_sessions(venue, 2000, 1300)


def snapshot(feed: Served) -> Contents:
    image = Image(feed.mapping, "sim")
    image.look()
    return Contents(bytes(image.seal(1, time.time_ns())))


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [1, 2])
def test_a_server_that_starts_again_in_another_session(
    venue: Venue, serve: Callable[..., Served], sessions: int
) -> None:
    """All processes are gone: a snapshot of the rows is all that is known."""
    midnight = midnight_ns(DAY)
    feed = serve(request_attempts=40)
    feed.start()
    lengths = [2000]
    venue.send(2000)
    caught_up(feed, venue)
    if sessions == 2:
        begin(venue, b"SECOND0001")
        lengths.append(600)
        venue.send(600)
        wait_for(lambda: feed["sessions"] == 2, venue.turn)
        caught_up(feed, venue)
    for name in (b"", b"THIRD00001"):  # first in the session of the snapshot, then in another
        before, last = die(feed), snapshot(feed)
        if name:
            begin(venue, name)
            lengths.append(0)
        venue.send(200)
        lengths[-1] += 200
        feed = serve(request_attempts=40)
        restore(feed.mapping, [last], midnight=midnight)
        feed.start()
        caught_up(feed, venue)
        assert_range_holds(before, feed.rows())
        assert kept(feed.rows()) == of_sessions(venue, *lengths)
