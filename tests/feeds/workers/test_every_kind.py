"""One feed, one answer: every kind of feed, as it is served and by `ticker feed test`."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feeds.datagram_kinds import Exchange
from tests.feeds.every_kind import KINDS
from tests.feeds.worker_process import Worker, wait_for
from ticker.config import parse
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.workers.sources import Kind, plan_of

SYMBOLS = {"pitch": {"AAPL", "MSFT"}, "pillar": {"AAPL", "MSFT"}}
"""What a feed of this kind has beside AAPL, if it hears all its lines and nothing else."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def exchange(kind: str, tmp_path: Path) -> Iterator[Exchange]:
    """It trades twenty times a second, at 101."""
    stop = threading.Event()

    def trade(exchange: Exchange) -> None:
        while not stop.wait(0.05):
            exchange.trade(101, time.time_ns())

    with KINDS[kind](midnight_ns(session_day(time.time_ns())), tmp_path) as exchange:
        trading = threading.Thread(target=trade, args=(exchange,))
        trading.start()
        yield exchange
        stop.set()
        trading.join()


@pytest.mark.slow
def test_served(kind: str, exchange: Exchange) -> None:
    worker = Worker(exchange.toml())
    wanted = SYMBOLS.get(kind, {"AAPL"})
    try:
        wait_for(lambda: wanted <= set(worker.rows()))
        wait_for(lambda: all(row["price"] == 101 * 10**9 for row in worker.rows().values()))
        wait_for(lambda: worker.heartbeat.state == "live")
        assert set(worker.rows()) == wanted
    finally:
        worker.close()


@pytest.mark.slow
def test_tested(kind: str, exchange: Exchange, tmp_path: Path) -> None:
    path = tmp_path / "ticker.toml"
    path.write_text(exchange.toml())
    command = [sys.executable, "-m", "ticker", "feed", "test", "f", "--config", str(path)]
    done = subprocess.run([*command, "--seconds", "3"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = SYMBOLS.get(kind, {"AAPL"})
    events = [line.split() for line in done.stdout.split("\n\n")[0].splitlines()]
    told = {words[1]: " ".join(words[2:]) for words in events if words[2:3] == ["trade"]}
    assert told == dict.fromkeys(wanted, "trade 101 x 100"), done.stdout


@pytest.mark.parametrize(
    ("text", "kind", "session"),
    [
        ('protocol="itch50"\nlines=["127.0.0.1:9"]', Kind.DATAGRAMS, "moldudp64"),
        ('protocol="itch50"\nsession="soupbintcp"\nlines=["127.0.0.1:9"]', Kind.SOUP, "soupbintcp"),
        ('protocol="json"\nmapping="plain"\nurl="ws://h/"', Kind.STREAM, "framed"),
        ('protocol="json"\nmapping="plain"\nurl="tcp://h:1"', Kind.STREAM, "jsonstream"),
        (
            'protocol="fix"\nlines=["127.0.0.1:9"]\n[feeds.fix]\nsender="a"\ntarget="b"\n'
            'symbols=["A"]',
            Kind.FIX,
            "fix",
        ),
    ],
)
def test_what_is_decided(text: str, kind: Kind, session: str) -> None:
    plan = plan_of(parse(f'[[feeds]]\nname="f"\nvenue="XNAS"\n{text}\n').feeds[0])
    assert (plan.kind, plan.session) == (kind, session)


def test_a_protocol_that_comes_over_soupbintcp_needs_no_session_named(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from ticker.feeds.python_protocol import PythonProtocol\n"
        'class Own(PythonProtocol):\n    session = "soupbintcp"\n'
    )
    feed = '[[feeds]]\nname="f"\nvenue="XNAS"\nprotocol="./own.py"\nlines=["127.0.0.1:9"]\n'
    assert plan_of(parse(feed, tmp_path).feeds[0]).kind is Kind.SOUP
