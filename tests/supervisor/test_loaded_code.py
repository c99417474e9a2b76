"""All code is loaded before the first fork: a worker that starts or is replaced imports nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.feeds.datagram_kinds import Exchange
from tests.feeds.every_kind import KINDS
from tests.supervisor.test_serve import Server, until
from ticker.feeds.day import midnight_ns, session_day

WATCH = """
import os, sys
if sys.orig_argv[2:4] == ["ticker", "serve"]:
    def told(event, arguments, first=os.getpid(), log={log!r}):
        if event == "import" and os.getpid() != first:
            with open(log, "a") as out:
                out.write(arguments[0] + chr(10))
    sys.addaudithook(told)
"""
"""Written to sitecustomize.py: what the forked workers of `python -m ticker serve` import."""


@pytest.fixture(params=KINDS)
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exchange]:
    """It trades twenty times a second, at 101."""
    stop = threading.Event()
    with KINDS[request.param](midnight_ns(session_day(time.time_ns())), tmp_path) as exchange:

        def trade() -> None:
            while not stop.wait(0.05):
                exchange.trade(101, time.time_ns())

        trading = threading.Thread(target=trade)
        trading.start()
        yield exchange
        stop.set()
        trading.join()


def replaced(server: Server, worker: str, pid: int) -> bool:
    return server.workers()[worker] != pid


@pytest.mark.slow
def test_workers_import_nothing(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "imports"
    log.touch()
    (tmp_path / "sitecustomize.py").write_text(WATCH.format(log=str(log)))
    paths = filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    server = Server(tmp_path, feed=exchange.toml())
    try:
        for worker in ("feed f", "gateway 0"):
            until(lambda: server.trades() > 0)
            pid = server.workers()[worker]
            os.kill(pid, signal.SIGKILL)
            until(partial(replaced, server, worker, pid))
        until(lambda: server.trades() > 0)
    finally:
        server.close()
    assert log.read_text().split() == []


def test_imports_are_seen(tmp_path: Path) -> None:
    log = tmp_path / "imports"
    (tmp_path / "sitecustomize.py").write_text(
        WATCH.format(log=str(log)).replace('["ticker", "serve"]', '["-c", sys.orig_argv[3]]')
    )
    code = "import os\nif not os.fork(): import wave; os._exit(0)\nos.wait()"
    command = [sys.executable, "-B", "-c", code]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True, timeout=60)
    assert "wave" in log.read_text().split()
