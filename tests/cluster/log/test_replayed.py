"""A day from the log of a real nats-server: shown, and served by a whole server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cluster.log.records import Told
from tests.cluster.servers import Nats, cluster_name, ingest, running, wait_for
from tests.cluster.source import rows_of
from tests.cluster.watching import stop_exchange
from ticker.clock import now_ns
from ticker.cluster.log.player import LogPlay, LogPlayer
from ticker.cluster.log.sources import find_logs
from ticker.config import ClusterConfig
from ticker.shm.segment import Geometry, private_feed

LOG = "[cluster.log]\ncheckpoint_interval = 1"


def moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat()


def replay(nats: Nats, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ticker", "replay", nats.url, "--json", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_log_gives_the_rows_of_the_box_and_each_trade(jetstream: Nats, tmp_path: Path) -> None:
    """The reading begins in the middle, after a checkpoint; the rows are whole all the same."""
    lines = ingest(tmp_path, f'"{jetstream.url}"', network=94, more=LOG)
    with running(lines):
        wait_for(lambda: lines.relay("log_stored") > 300)
        begin = now_ns()
        told = Told(lines)
        wait_for(lambda: sum(map(len, told.numbers.values())) > 300 if told.look() else False)
        stop_exchange(lines)
        wait_for(told.all_told)
        rows = rows_of(lines.feed("sim"))
    url = ClusterConfig(servers=(jetstream.url,))
    logs = asyncio.run(find_logs(url))
    assert [(each.cluster.name, each.feed) for each in logs] == [(cluster_name(), "sim")]
    segment = private_feed(Geometry(rows=2048), 1, 1)
    player = LogPlayer(LogPlay(logs[0], begin, now_ns()), segment, None)
    asyncio.run(player.run())
    assert rows_of(segment) == rows
    assert player.lost == 0
    run = replay(jetstream, "--from", moment(begin))
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)["sim"]
    assert found["log"]["lost_frames"] == 0
    assert len(found["symbols"]) == len(rows)
    assert replay(jetstream, "--from", moment(begin), "--feed", "other").returncode == 11
