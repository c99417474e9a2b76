"""The vendors' own client packages, unchanged, in programs of their own, against `ticker serve`
with its simulated exchange: what they print, and that they go on after a gateway was killed."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.request import Request, urlopen

import pytest

from tests.whole_server import whole_server
from ticker.gateway.access.auth import hash_token

pytestmark = pytest.mark.slow
SCRIPTS = Path(__file__).parent / "scripts"
SECRET = "the-secret-of-a-desk"
MORE = f"""
[store]
enabled = true
[auth]
required = true
[[auth.tokens]]
name = "desk"
sha256 = "{hash_token(SECRET)}"
"""
Require = Callable[[object, str], None]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a server that asks for tokens."""
    with whole_server(tmp_path_factory.mktemp("vendors"), "vendors", 45, MORE) as url:
        yield url.removeprefix("http://")


def read(out: IO[str], lines: queue.Queue[str]) -> None:
    for line in out:
        lines.put(line)


@contextmanager
def program(name: str, *arguments: str) -> Iterator[queue.Queue[str]]:
    """Its lines; what it says to standard error is shown when the test fails."""
    lines: queue.Queue[str] = queue.Queue()
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        reader = threading.Thread(target=read, args=(running.stdout, lines), daemon=True)
        reader.start()
        try:
            yield lines
            assert running.poll() is None, "it has ended by itself"
        finally:
            running.kill()
            reader.join()


def until(lines: queue.Queue[str], wanted: Callable[[str], bool], seconds: float = 30) -> str:
    """The next line that is wanted."""
    end = time.monotonic() + seconds
    while True:
        line = lines.get(timeout=max(end - time.monotonic(), 0.01))
        if wanted(line):
            return line


def kill_a_gateway(address: str) -> float:
    """Kill the one that there is, and wait for its successor; when there was none, in s since the
    epoch: what was traded after that cannot come from before."""

    request = Request(f"http://{address}/status", headers={"Authorization": f"Bearer {SECRET}"})

    def pid() -> Any:
        with urlopen(request) as answer:
            return json.load(answer)["gateways"][0]["pid"]

    before = pid()
    os.kill(before, signal.SIGKILL)
    killed = time.time()
    end = time.monotonic() + 10
    while pid() == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    return killed


def begins(kind: str) -> Callable[[str], bool]:
    return lambda line: line.startswith(kind)


def alpaca_after(moment: float, kind: str) -> Callable[[str], bool]:
    """A line of this kind whose own time is later."""

    def wanted(line: str) -> bool:
        found, _, text = line.partition(" ")
        if found != kind:
            return False
        return datetime.fromisoformat(json.loads(text)["timestamp"]).timestamp() > moment

    return wanted


def massive_after(moment: float, kind: str) -> Callable[[str], bool]:
    """Trades and quotes have a `timestamp`, bars that of their end: ms since the epoch."""

    def wanted(line: str) -> bool:
        found = re.search(r"\b(?:end_)?timestamp=(\d+)", line)
        return line.startswith(kind) and found is not None and int(found[1]) / 1000 > moment

    return wanted


def test_alpaca_py_prints_and_survives(address: str, require: Require) -> None:
    require(importlib.util.find_spec("alpaca"), "alpaca-py is not installed")
    url = f"ws://{address}/alpaca/v2/sip"
    with program("with_alpaca_py.py", url, SECRET, "*") as lines:
        for kind, fields in (
            ("trade", ("price", "size", "timestamp", "id", "exchange")),
            ("quote", ("bid_price", "ask_price", "bid_size", "timestamp")),
        ):
            line = until(lines, begins(kind))
            found = json.loads(line.partition(" ")[2])
            assert all(found[field] is not None for field in fields), found
        killed = kill_a_gateway(address)
        for kind in ("trade", "quote"):
            until(lines, alpaca_after(killed, kind))


def test_massive_prints_and_survives(address: str, require: Require) -> None:
    require(importlib.util.find_spec("massive"), "massive is not installed")
    wanted = ("T.*", "Q.*", "A.*")
    with program("with_massive.py", f"{address}/polygon", SECRET, *wanted) as lines:
        trade = until(lines, lambda line: line.startswith("EquityTrade"))
        assert re.search(r"exchange=12\b.*price=[0-9.]+.*size=[1-9]", trade), trade
        quote = until(lines, lambda line: line.startswith("EquityQuote"))
        assert re.search(r"bid_price=[0-9.]+.*ask_price=[0-9.]+", quote), quote
        second = until(lines, lambda line: line.startswith("EquityAgg"))
        assert re.search(r"event_type='A'.*volume=[1-9].*open=[0-9.]+.*close=[0-9.]+", second), (
            second
        )
        killed = kill_a_gateway(address)
        for kind in ("EquityTrade", "EquityQuote", "EquityAgg"):
            until(lines, massive_after(killed, kind))


@pytest.mark.stress
def test_alpaca_py_prints_bars_of_minutes(address: str, require: Require) -> None:
    """A minute has to pass until one is over."""
    require(importlib.util.find_spec("alpaca"), "alpaca-py is not installed")
    url = f"ws://{address}/alpaca/v2/sip"
    with program("with_alpaca_py.py", url, SECRET, "*") as lines:
        line = until(lines, lambda line: line.startswith("bar"), 90)
        found = json.loads(line.partition(" ")[2])
        assert found["low"] <= found["open"] <= found["high"]
        assert found["volume"] > 0
        assert found["timestamp"].endswith(":00Z")
