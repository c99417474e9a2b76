"""An ingest box, a nats-server and a gateway box, as real processes: `ticker serve` twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.proxy import Proxy
from tests.cluster.servers import Box, Nats, gateway, ingest, running, wait_for
from tests.cluster.source import rows_of
from tests.cluster.watching import Watch, epoch, same_rows, same_values, started, stop_exchange

Require = Callable[[object, str], None]


def get(box: Box, path: str) -> Any:
    with urllib.request.urlopen(f"{box.url}{path}", timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.slow
def test_a_gateway_box_serves_what_another_box_hears(nats: Nats, tmp_path: Path) -> None:
    """The bridge is killed, frames are harmed on their way, and the server of the bus is killed."""
    proxy = Proxy(nats.port)
    lines = ingest(tmp_path, f'"{nats.url}"', network=71)
    served = gateway(tmp_path, f'"{proxy.url}"')
    with running(proxy, lines, served):
        wait_for(lambda: served.state("sim") == "live")
        wait_for(lambda: served.count("sim", "trades") > 100)
        symbol = next(iter(rows_of(lines.feed("sim"))))[0]
        wait_for(lambda: get(served, f"/prices/{symbol}")["status"] == "live")
        with urllib.request.urlopen(f"{lines.url}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        assert 'ticker_relay_connected{relay="relay"} 1.0' in metrics
        assert 'ticker_relay_speaking{relay="relay"} 1.0' in metrics
        watch = Watch(served)
        kill_bridge(served, watch, times=3)
        harm(served, proxy, watch, each=10)
        nats.kill()
        wait_for(lambda: watch.look() and served.state("sim") == "stale")
        wait_for(lambda: get(served, f"/prices/{symbol}")["status"] == "stale")
        nats.start()
        wait_for(lambda: watch.look() and served.state("sim") == "live")
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served))


def kill_bridge(served: Box, watch: Watch, times: int) -> None:
    for _ in range(times):
        before = served.count("sim", "images")
        os.kill(served.worker("sim"), signal.SIGKILL)
        wait_for(lambda: watch.look() and served.count("sim", "images") >= before + 256)  # noqa: B023
    wait_for(lambda: watch.look() and served.state("sim") == "live")


def harm(served: Box, proxy: Proxy, watch: Watch, each: int) -> None:
    """Until each kind of harm was done so often: what was told as lost is what was lost."""
    names = ("lost_messages", "bad_packets", "duplicate_messages")
    before = {name: served.count("sim", name) for name in names}
    proxy.harm = True
    wait_for(lambda: watch.look() and min(proxy.made.values()) >= each, seconds=60)
    proxy.harm = False
    made = proxy.made

    def told(name: str) -> int:
        return served.count("sim", name) - before[name]

    wait_for(lambda: watch.look() and told("lost_messages") == made["dropped"] + made["flipped"])
    wait_for(lambda: told("bad_packets") == made["flipped"] + made["garbage"])
    assert told("duplicate_messages") >= made["doubled"]


def status(box: Box, *more: str) -> Any:
    command = [sys.executable, "-m", "ticker", "cluster", "status", "--config", str(box.config)]
    run = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
def test_a_second_ingest_box_takes_over_and_the_first_one_stays_quiet(
    nats: Nats, tmp_path: Path
) -> None:
    """Both hear one exchange. The one that speaks is stopped, sleeps, and wakes up again."""
    first = ingest(tmp_path, f'"{nats.url}"', network=72)
    second = ingest(tmp_path, f'"{nats.url}"', network=72, rank=2, simulated=False)
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(first, second, served):
        wait_for(lambda: second.state("sim") == served.state("sim") == "live")
        wait_for(lambda: epoch(served) == 1 << 8 | 1)
        found = json.loads(status(first, "--json", "--seconds", "1.1"))["sim"]
        states = {(box["role"], box["rank"]): box["state"] for box in found["boxes"]}
        assert states == {
            ("relay", 1): "speaks",
            ("relay", 2): "waits",
            ("bridge", 0): "live",
        }
        relay = started(first, "relay")
        watch = Watch(served)
        os.kill(relay, signal.SIGSTOP)
        stopped = time.monotonic()
        wait_for(lambda: watch.look() and epoch(served) == 2 << 8 | 2)
        wait_for(lambda: watch.look() and served.state("sim") == "live")
        assert time.monotonic() - stopped < 2.0
        os.kill(relay, signal.SIGCONT)
        end = served.count("sim", "trades") + 300
        wait_for(lambda: watch.look() and served.count("sim", "trades") > end)
        assert epoch(served) == 2 << 8 | 2
        stop_exchange(first)
        wait_for(lambda: watch.look() and same_values(second, served))
        table = status(first, "--seconds", "1.1")
        assert "epoch 2.2" in table
        assert "waits" in table
