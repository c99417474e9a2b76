"""A log read again: into a segment of this process, and by the command."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime

from tests.cluster.servers import cluster_name
from tests.cluster.source import rows_of
from ticker.clock import now_ns
from ticker.cluster.log.player import LogPlay, LogPlayer
from ticker.cluster.log.sources import find_logs
from ticker.config import ClusterConfig
from ticker.shm.segment import Geometry, private_feed


def command(url: str, since: int, *more: str) -> subprocess.CompletedProcess[str]:
    """`ticker replay URL --json --from TIME`."""
    text = datetime.fromtimestamp(since / 1e9, UTC).isoformat()
    line = [sys.executable, "-m", "ticker", "replay", url, "--json", "--from", text, *more]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def check_replay(cluster: ClusterConfig, since: int, rows: object) -> None:
    """The log of feed "sim" gives these rows, from a time in the middle on; so does the command."""
    logs = asyncio.run(find_logs(cluster))
    assert [(each.cluster.name, each.feed) for each in logs] == [(cluster_name(), "sim")]
    segment = private_feed(Geometry(rows=2048), 1, 1)
    player = LogPlayer(LogPlay(logs[0], since, now_ns()), segment, None)
    asyncio.run(player.run())
    assert rows_of(segment) == rows
    assert player.lost == 0
    run = command(cluster.servers[0], since, "--cluster", cluster_name())
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)["sim"]
    assert found["log"]["lost_frames"] == 0
    assert len(found["symbols"]) == len(rows_of(segment))
