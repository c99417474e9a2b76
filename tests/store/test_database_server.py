"""A whole server whose days and bars are in PostgreSQL: what it serves, and what a stopped database
cannot hold up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.datagram_kinds import MoldItch
from tests.store.postgres_server import PASSWORD, PostgresServer
from tests.supervisor.test_loaded_code import WATCH
from tests.supervisor.test_serve import Server, until
from ticker.feeds.day import midnight_ns, session_day
from ticker.store.past import read_days, read_minutes
from ticker.store.postgres import DatabaseReader

pytestmark = pytest.mark.slow
SECOND = 1_000_000_000


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[MoldItch]:
    with MoldItch(midnight_ns(session_day(time.time_ns())), tmp_path) as exchange:
        yield exchange


def ticker(tmp_path: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ticker", *arguments]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "ticker.toml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def test_a_server_with_a_database(
    tmp_path: Path,
    exchange: MoldItch,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = postgres.database()
    reader = DatabaseReader(url, tmp_path / "kept")
    log = tmp_path / "imports"
    log.touch()
    (tmp_path / "sitecustomize.py").write_text(WATCH.format(log=str(log)))
    paths = filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("KEPT_IN", url)
    folder = tmp_path / "kept"
    store = f'[store]\nfolder = "{folder}"\nurl = "$KEPT_IN"\ninterval = 0.1\n'
    server = Server(tmp_path, more=store, feed=exchange.toml())
    prices: list[int] = []

    def trade() -> None:
        """A trade, which clients see soon."""
        prices.append(100 + len(prices) % 7)
        exchange.trade(prices[-1], time.time_ns())
        until(lambda: server.trades() == len(prices), seconds=5)

    def kept() -> list[dict[str, Any]]:
        return read_minutes(reader, "AAPL", 0, 1 << 40)

    def state() -> str:
        found: str = server.get("status")["store"]["state"]
        return found

    try:
        until(lambda: exchange.has_listener)
        for _ in range(5):
            trade()
        until(lambda: sum(bar["trades"] for bar in kept()) == len(prices))
        assert state() == "ok"
        reader.close()
        pid = server.workers()["store"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: server.workers()["store"] != pid)
        for _ in range(5):
            trade()
        until(lambda: sum(bar["trades"] for bar in kept()) == len(prices))
        reader.close()
        check_stopped(server, postgres, trade)
        until(lambda: state() == "ok", seconds=20)
        until(lambda: sum(bar["trades"] for bar in kept()) == len(prices))
        bars = server.get("bars/AAPL")["bars"]
        assert sum(bar["trades"] for bar in bars) == len(prices)
        assert sum(bar["volume"] for bar in bars) == 100 * len(prices)
        assert {bar["complete"] for bar in bars} == {True}
    finally:
        server.close()
    (day,) = read_days(reader, "AAPL", 5)
    assert (day["open"], day["close"]) == (prices[0] * SECOND, prices[-1] * SECOND)
    assert day["trades"] == len(prices)
    reader.close()
    (shown,) = json.loads(ticker(tmp_path, "history", "AAPL", "--format", "json"))
    assert shown["trades"] == len(prices)
    assert PASSWORD not in server.said.read_text()
    assert log.read_text().split() == [], "forked workers import nothing"
    assert [*(folder / "history").glob("*.sqlite")] == []
    elsewhere = DatabaseReader(url, tmp_path / "none")
    assert sum(bar["trades"] for bar in read_minutes(elsewhere, "AAPL", 0, 1 << 40)) == len(prices)
    elsewhere.close()
    assert '"$KEPT_IN"' in ticker(tmp_path, "check", "--effective")


def check_stopped(server: Server, postgres: PostgresServer, trade: Any) -> None:
    """The database is down for a while; prices are served, and last prices are kept."""
    postgres.stop()
    try:
        until(lambda: server.get("status")["store"]["state"] == "failing")
        before = server.get("status")["store"]["snapshots"]
        for _ in range(5):
            trade()
        status = server.get("status")["store"]
        assert "cannot be reached" in status["reason"]
        until(lambda: server.get("status")["store"]["snapshots"] > before)
    finally:
        postgres.start()
