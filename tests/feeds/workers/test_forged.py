"""Forged datagrams and hostile servers against a feed worker, over real sockets.

The forger is on the segment: it hears the lines, so it knows session and sequence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.feeds.itch_venue import Served, Venue
from tests.feeds.worker_process import has_lost, wait_for

FAR = 1 << 39
FLOOD = 200


class Forger:
    """Sends to a venue's lines what the venue did not."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.out = venue.out

    def heartbeat(self, sequence: int, session: bytes) -> None:
        data = session + sequence.to_bytes(8, "big") + bytes(2)
        self.out.sendto(data, self.venue.lines[0])

    def everything(self) -> None:
        self.heartbeat(1, b"FORGED0001")
        self.heartbeat(FAR, self.venue.session)
        self.heartbeat(self.venue.next + 500, self.venue.session)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> int:
    (line,) = [
        each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in each
    ]
    return int(line.split()[1])


@pytest.mark.slow
@pytest.mark.parametrize("rerequest", [True, False])
def test_forged_numbers_and_sessions_stop_nothing(
    venue: Venue, serve: Callable[..., Served], rerequest: bool
) -> None:
    feed = serve() if rerequest else serve(rebuild=False, request_attempts=1)
    forger = Forger(venue)
    feed.start()
    venue.send(200)
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    assert feed.process is not None
    cpu, memory = cpu_seconds(feed.process.pid), resident_kb(feed.process.pid)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        forger.everything()
        venue.send(1)
        venue.announce()
        wait_for(lambda: feed.next == venue.next, venue.serve, seconds=0.5)
        assert feed.heartbeat.state == "live"
    assert (feed["sessions"], feed["lost_messages"]) == (1, 0)
    assert feed["unconfirmed_packets"] > 10
    assert cpu_seconds(feed.process.pid) - cpu < 1
    assert resident_kb(feed.process.pid) - memory < 20_000
    # The venue is silent, and the forger goes on: that is no sign of life.
    wait_for(lambda: feed.heartbeat.state == "stale", forger.everything, seconds=2)
    venue.send(20)
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn, seconds=2)
    assert feed.next == venue.next


@pytest.mark.slow
def test_a_server_that_floods_costs_the_feed_nothing(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve()
    feed.start()
    venue.send(200)
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    venue.next += 20  # lost on both lines
    venue.send(20)
    venue.announce()
    request, requester = b"", None

    def asked() -> bool:
        nonlocal request, requester
        try:
            request, requester = venue.server.recvfrom(64)
        except BlockingIOError:
            return False
        return True

    wait_for(asked)
    assert feed.process is not None and requester is not None
    memory = resident_kb(feed.process.pid)
    answers = feed["packets_retransmitted"]
    sent = 0
    while sent < 200_000:
        for _ in range(FLOOD):
            venue.server.sendto(b"\xff" * 60, requester)
        sent += FLOOD
        venue.send(1)
        venue.announce()
    wait_for(lambda: feed.next == venue.next, venue.announce, seconds=2)
    assert feed["packets_retransmitted"] - answers < sent // 2, "it was left alone"
    assert resident_kb(feed.process.pid) - memory < 20_000
    assert feed["lost_messages"] == 20
    assert feed.heartbeat.state == "live"
    assert feed.log().count("re-request server is left alone") == 1


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_told_of_once(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve(request_attempts=2)
    feed.start()
    venue.send(200)
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    for lost in (20, 40, 60):
        venue.next += 20  # lost on both lines
        venue.send(20)
        wait_for(partial(has_lost, feed.mapping, lost), venue.announce)
    wait_for(lambda: "left alone" in feed.log(), venue.announce)
    assert feed.log().count("left alone") == 1
    assert "it does not answer" in feed.log()
