"""A worker that is killed after millions of messages, under a real server, is live soon."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.feeds.worker_process import wait_for
from ticker.bench.rig import server as rig
from ticker.feeds.session import resume_point
from ticker.shm.counters import Counters, Heartbeat

MESSAGES = 10_000_000
RATE = 250_000
SYMBOLS = 5_000


MORE = 'rerequest = "127.0.0.1:{}"\nrequest_timeout = 0.5\nrequest_attempts = 40\n'


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_a_session_of_ten_million_messages_is_live_again_within_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the kill to the state `live`, with all that the predecessor had."""
    lines = rig.free_lines()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        rerequest = probe.getsockname()[1]
    plain = rig.configuration
    monkeypatch.setattr(rig, "configuration", lambda *where: plain(*where) + MORE.format(rerequest))
    exchange = (
        "simulate", "itch", "--symbols", SYMBOLS, "--rate", RATE, "--history", 1000,
        "--line-a", lines[0], "--line-b", lines[1], "--rerequest", f"127.0.0.1:{rerequest}",
        "--die-with-parent",
    )  # fmt: skip
    with rig.Server(tmp_path, lines) as server, rig.Process("the exchange", *exchange) as sender:
        counters, heartbeat = Counters(server.feed), Heartbeat(server.feed)
        wait_for(lambda: counters["messages"] >= MESSAGES, sender.check_alive, seconds=200)
        reached = resume_point(server.feed)
        assert reached is not None
        epoch = heartbeat.epoch
        os.kill(heartbeat.pid, signal.SIGKILL)
        killed = time.monotonic()

        def is_back() -> bool:
            point = resume_point(server.feed)
            return (
                heartbeat.epoch > epoch
                and heartbeat.state == "live"
                and point is not None
                and point[1] >= reached[1]
            )

        wait_for(is_back, seconds=60)
        took = time.monotonic() - killed
        print(f"live {took:.2f} s after the kill at message {reached[1]}")
        assert counters["lost_messages"] == 0
        assert took < 2
