"""The feed worker as a process, over real sockets: live, stale, ended, killed and replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import structlog

from tests.feeds.itch_venue import (
    Served,
    Venue,
    assert_not_back,
    expected,
    shown,
)
from tests.feeds.worker_process import LOOPBACK, wait_for
from ticker.bench.rig.ports import free_port
from ticker.errors import SegmentError
from ticker.feeds.workers.worker import FeedContext, FeedWorker
from ticker.shm.doorbell import Doorbell
from ticker.shm.gaps import GapReader
from ticker.shm.header import KIND_GATEWAY
from ticker.shm.liveness import Conditions
from ticker.shm.segment import create_worker, remove


@pytest.mark.slow
def test_publishes_what_two_lossy_lines_bring(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve()
    feed.start()
    while venue.next <= len(venue.messages):
        venue.send(500, loss=0.05)
        wait_for(lambda: feed.next == venue.next, venue.turn)
    assert shown(feed.table) == expected(venue)
    assert len(feed.table) == 20
    assert feed["messages"] == len(venue.messages)
    assert feed["gaps_filled_by_line"] > 0
    assert (feed["lost_messages"], feed["bad_packets"], feed["socket_drops"]) == (0, 0, 0)
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    assert feed.end() == 0
    assert feed.heartbeat.state == "stale"


@pytest.mark.slow
def test_silence_is_stale_and_the_end_is_ended(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve()
    feed.start()
    venue.send(100)
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    before = feed.heartbeat.last_message_ns
    wait_for(lambda: feed.heartbeat.state == "stale")
    assert time.time_ns() - before >= 0.25e9, "two and a half heartbeats"
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    wait_for(lambda: feed.heartbeat.state == "ended", lambda: venue.announce(0xFFFF))
    venue.session, venue.next = b"NEXTDAY   ", 1
    venue.send(100)
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    assert feed["sessions"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("rebuild", [True, False])
def test_killed_and_replaced(venue: Venue, serve: Callable[..., Served], rebuild: bool) -> None:
    # As patient with this test's server, on a busy machine, as the test is with the worker.
    feed = serve(rebuild=rebuild, request_attempts=40)
    feed.start()
    for turn in range(3):
        venue.send(1000)
        wait_for(lambda: feed.next == venue.next, venue.turn)
        before = feed.rows()
        assert feed.end(signal.SIGKILL) == -signal.SIGKILL
        venue.send(500)
        feed.start()
        assert feed.rows() == before
        killed = time.monotonic()
        wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.turn)
        assert time.monotonic() - killed < 2
        assert feed.heartbeat.epoch == turn + 2
        assert_not_back(before, feed.rows())
    if rebuild:
        assert shown(feed.table) == expected(venue)
    assert feed["lost_messages"] == 0
    assert venue.requests > 0
    # Each number that a worker missed is in the ledger, whichever of them found it or died over it.
    sums = GapReader(feed.mapping).sums()
    assert (sums.open, sums.lost_upstream, sums.lost_downstream) == (0, 0, 0)
    assert sums.recovered == feed["recovered_messages"] >= 1500
    assert sums.missing == feed["gap_messages"]


@pytest.mark.slow
def test_a_rebuild_whose_history_is_gone_takes_nothing_back(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    """Its server answers nothing any more; new trades are newer than all that was shown."""
    feed = serve(request_timeout=0.2)
    feed.start()
    venue.send(4000)
    wait_for(lambda: feed.next == venue.next, venue.turn)
    before = feed.rows()
    feed.end(signal.SIGKILL)
    venue.kept_from = venue.next
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "recovering", venue.announce)
    venue.send(600)
    wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.turn)
    assert feed["lost_messages"] == 4000
    after = feed.rows()
    newer = [s for s in before if after[s]["exchange_time"] > before[s]["exchange_time"]]
    assert newer, "or nothing was tried"
    assert_not_back(before, after)
    for symbol, row in before.items():
        assert after[symbol]["high"] >= row["high"]
        assert 0 < after[symbol]["low"] <= row["low"]
        assert after[symbol]["open"] == row["open"]
        assert after[symbol]["trades"] >= row["trades"]
    volume = sum(row["volume"] for row in after.values())
    venue.send(500)
    wait_for(lambda: feed.next == venue.next, venue.turn)
    assert sum(row["volume"] for row in feed.rows().values()) > volume


@pytest.mark.slow
def test_with_the_simulated_exchange(serve: Callable[..., Served]) -> None:
    """Multicast on two lines that lose and reorder, paced by another process."""
    group = f"239.192.{128 | os.getpid() >> 8 & 127}.{os.getpid() & 255}"
    lines = [f"{group}:{free_port()}", f"{group}:{free_port()}"]
    rerequest = f"{LOOPBACK}:{free_port()}"
    # As patient as another process with little of a core may need.
    feed = serve(lines=lines, rerequest=rerequest, heartbeat=1.0, date="today", request_attempts=40)
    command = [sys.executable, "-m", "ticker", "simulate", "itch", "--symbols", "20"]
    command += ["--rate", "20000", "--loss", "5%", "--reorder", "8", "--rerequest", rerequest]
    command += ["--line-a", lines[0], "--line-b", lines[1]]
    feed.start()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as exchange:
        try:
            wait_for(lambda: feed["messages"] > 10_000)
            before = feed.rows()
            feed.end(signal.SIGKILL)
            feed.start()
            killed = time.monotonic()
            wait_for(lambda: feed.heartbeat.state == "live")
            assert time.monotonic() - killed < 2
            wait_for(lambda: feed.rows() != before)
            wait_for(lambda: feed["messages"] > 40_000)
            assert_not_back(before, feed.rows())
        finally:
            exchange.terminate()
    wait_for(lambda: feed.heartbeat.state == "ended")
    assert feed["recovered_messages"] > 0
    assert feed["gaps_filled_by_line"] > 0
    assert (feed["lost_messages"], feed["bad_packets"], feed["unknown_orders"]) == (0, 0, 0)


@pytest.mark.slow
def test_joins_late_and_the_server_is_gone(venue: Venue, serve: Callable[..., Served]) -> None:
    venue.send(1000)
    feed = serve(rerequest=f"{LOOPBACK}:{free_port()}")
    feed.start()
    venue.send(1000)
    started = time.monotonic()
    wait_for(lambda: feed.heartbeat.state == "recovering" or feed.heartbeat.state == "live")
    wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.announce)
    assert time.monotonic() - started < 2
    assert feed["lost_messages"] == 1000
    assert feed["messages"] == 1000


@pytest.mark.slow
def test_a_worker_that_died_while_rebuilding_hides_its_place(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve(request_timeout=5.0)
    feed.start()
    venue.send(2000)
    wait_for(lambda: feed.next == venue.next, venue.turn)
    before = feed.rows()
    feed.end(signal.SIGKILL)
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "recovering", venue.announce)
    assert feed.rows() == before
    assert feed.next == venue.next
    feed.end(signal.SIGKILL)
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    assert_not_back(before, feed.rows())
    assert shown(feed.table) == expected(venue)


def test_refuses_a_segment_of_another_life(serve: Callable[..., Served]) -> None:
    feed = serve()
    with pytest.raises(SegmentError, match="boot id"):
        FeedWorker(feed.config, FeedContext(segment=feed.name, boot_id=8))
    with pytest.raises(SegmentError, match="no such segment"):
        FeedWorker(feed.config, FeedContext(segment=feed.name + "x", boot_id=7))


@pytest.mark.parametrize("sources", [[], [LOOPBACK]])
def test_multicast_of_any_sender_is_said(serve: Callable[..., Served], sources: list[str]) -> None:
    feed = serve(lines=[f"239.192.250.1:{free_port()}"], source=sources)
    with structlog.testing.capture_logs() as logged:
        FeedWorker(feed.config, FeedContext(segment=feed.name, boot_id=7)).close()
    said = [each for each in logged if "any sender" in each["event"]]
    assert [(each["feed"], "source" in each["advice"]) for each in said] == (
        [] if sources else [("sim", True)]
    )


def test_rings_the_gateways_doorbells(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve()
    door = f"{feed.name}-gateway0"
    gateway = create_worker(door, KIND_GATEWAY, 7, 1)
    eventfd = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        doorbell = Doorbell(gateway, eventfd)
        doorbell.arm_from_python()
        context = FeedContext(segment=feed.name, boot_id=7, gateways=((door, eventfd),))
        worker = FeedWorker(feed.config, context)
        venue.send(200)
        worker.session.receive_data(venue.packet(1, 200), 0, time.time_ns())
        worker.market.set_publishing(True)
        worker.market.publish(time.time_ns())
        assert os.eventfd_read(eventfd) == 1
        worker.close()
    finally:
        os.close(eventfd)
        remove(door)


@pytest.mark.slow
def test_silence_shows_within_three_heartbeats(venue: Venue, serve: Callable[..., Served]) -> None:
    """Measured as a reader sees it that looks twice a second, as gateways do."""
    feed = serve(heartbeat=1.0)
    feed.start()
    venue.send(100)
    conditions = Conditions([feed.mapping])
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    conditions.look(time.time_ns())
    assert conditions.state(0) == "live"
    last = feed.heartbeat.last_message_ns
    seen = 0
    while not seen:
        time.sleep(0.5)
        now = time.time_ns()
        conditions.look(now)
        assert now - last < 20e9, "it is never noticed"
        seen = now if conditions.state(0) == "stale" else 0
    assert 2.5e9 <= seen - last <= 3.1e9, "three heartbeats, and 0.1 s for a busy machine"
    wait_for(lambda: feed.heartbeat.state == "stale")
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    conditions.look(time.time_ns())
    assert conditions.state(0) == "live"


@pytest.mark.slow
def test_a_killed_worker_shows_as_silence_does(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve(heartbeat=0.4)
    feed.start()
    venue.send(100)
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    conditions = Conditions([feed.mapping])
    feed.end(signal.SIGKILL)
    last = feed.heartbeat.last_message_ns

    def stale() -> bool:
        conditions.look(time.time_ns())
        return conditions.state(0) == "stale"

    wait_for(stale)
    assert feed.heartbeat.state == "live", "it could say nothing any more"
    assert time.time_ns() - last <= 1.2e9
