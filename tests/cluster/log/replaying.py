"""A log read again: into a segment of this process, and by the command."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.cluster.servers import Box, cluster_name, wait_for
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


@contextmanager
def served(url: str, since: int, *more: str) -> Iterator[str]:
    """The address of `ticker replay URL --serve`, which has no rest to wait for."""
    text = datetime.fromtimestamp(since / 1e9, UTC).isoformat()
    line = [sys.executable, "-m", "ticker", "replay", url, "--serve", "--port", "0"]
    line += ["--from", text, "--speed", "max", *more]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=quiet, text=True) as run:
        assert run.stdout is not None
        try:
            said = next(each for each in run.stdout if each.startswith("ticker: http"))
            yield said.split()[1].rstrip("/")
        finally:
            run.send_signal(signal.SIGTERM)
            assert run.wait(20) == 0


def check_served(url: str, since: int, box: Box) -> None:
    """A whole server of the log comes to the prices of the box that was heard."""
    symbols = ",".join(sorted(symbol for symbol, _ in rows_of(box.feed("sim"))))
    wanted = figures(box.url, symbols)
    assert len(wanted) > 40
    with served(url, since, "--cluster", cluster_name()) as address:
        wait_for(lambda: figures(address, symbols) == wanted)


def figures(address: str, symbols: str) -> dict[str, tuple[Any, ...]]:
    """Of each symbol that has a price: figures that do not depend on the time of day."""
    try:
        with urllib.request.urlopen(f"{address}/prices?symbols={symbols}", timeout=10) as answer:
            prices = json.loads(answer.read())["prices"]
    except urllib.error.HTTPError as error:
        assert error.code == 404, "none of them is known yet"
        return {}
    names = ("price", "size", "volume", "trades", "high", "low", "bid", "ask", "seq")
    return {each["symbol"]: tuple(each[name] for name in names) for each in prices}


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
