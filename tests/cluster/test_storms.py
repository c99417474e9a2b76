"""The long versions: kills one after another, of each process of the bus."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.servers import Nats, gateway, ingest, running, wait_for
from tests.cluster.watching import Watch, epoch, same_rows, same_values, started, stop_exchange


@pytest.mark.stress
def test_thirty_kills_of_a_relay(nats: Nats, tmp_path: Path) -> None:
    """A relay that is replaced speaks in a new epoch, and nothing goes back."""
    lines = ingest(tmp_path, f'"{nats.url}"', network=75, rate=5_000, symbols=200)
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(lines, served):
        wait_for(lambda: served.state("sim") == "live")
        watch = Watch(served)
        for number in range(30):
            before = epoch(served)
            killed = time.monotonic()
            os.kill(started(lines, "relay"), signal.SIGKILL)
            wait_for(lambda: watch.look() and epoch(served) > before)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - killed < 4.0, number
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))
        assert served.count("sim", "bad_packets") == 0


@pytest.mark.stress
def test_thirty_takeovers(nats: Nats, tmp_path: Path) -> None:
    """The box that speaks is stopped or killed, in turn; the other one speaks within a second."""
    boxes = [
        ingest(tmp_path, f'"{nats.url}"', network=74),
        ingest(tmp_path, f'"{nats.url}"', network=74, rank=2, simulated=False),
    ]
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(*boxes, served):
        wait_for(lambda: boxes[1].state("sim") == served.state("sim") == "live")
        watch = Watch(served)
        for number in range(30):
            before = epoch(served)
            wait_for(lambda: all(box.relays() for box in boxes))
            relay = started(boxes[(before & 0xFF) - 1], "relay")
            os.kill(relay, signal.SIGSTOP if number % 2 else signal.SIGKILL)
            stopped = time.monotonic()
            wait_for(lambda: watch.look() and epoch(served) > before)  # noqa: B023
            wait_for(lambda: watch.look() and served.state("sim") == "live")
            assert time.monotonic() - stopped < 1.0, number
            if number % 2:
                os.kill(relay, signal.SIGCONT)
            came = served.count("sim", "trades")
            wait_for(lambda: watch.look() and served.count("sim", "trades") > came + 50)  # noqa: B023
        stop_exchange(boxes[0])
        wait_for(lambda: watch.look() and same_values(boxes[1], served))
