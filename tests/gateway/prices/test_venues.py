"""Several venues of one symbol as clients see them: `ticker serve` with three feeds of JSON lines
over TCP that the test speaks, so that it says who sells what in which order."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mappings import rule

pytestmark = pytest.mark.slow

E9 = 1_000_000_000
MAPPING = rule(
    "trade", "t", symbol="s", price="p", size="n", time="t", time_unit="ns", id="i"
) + rule("break", "x", symbol="s", id="i")
FEED = """
[[feeds]]
name = "{name}"
protocol = "json"
mapping = "{mapping}"
venue = "{venue}"
currency = "{currency}"
url = "tcp://127.0.0.1:{port}"
rows = 16
ring_capacity = 64
"""
VENUES = (("XNAS", "USD", 0), ("BATS", "USD", 2), ("XETR", "EUR", 0))


class Venue:
    """The TCP server of one feed."""

    def __init__(self, mic: str) -> None:
        self.mic = mic
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.port = int(self.listener.getsockname()[1])
        self.ids = 0

    def accept(self) -> None:
        self.line, _ = self.listener.accept()

    def say(self, **record: Any) -> None:
        self.line.sendall(json.dumps(record).encode() + b"\n")

    def trade(self, cents: int, time_ns: int, size: float = 10) -> int:
        """A sale at so many cents above 100: no jump for the filter."""
        self.ids += 1
        self.say(k="t", s="ACME", p=100 + cents / 100, n=size, t=time_ns, i=self.ids)
        return self.ids

    def close(self) -> None:
        self.line.close()
        self.listener.close()


class Server:
    def __init__(self, base: str, venues: dict[str, Venue]) -> None:
        self.base = base
        self.venues = venues
        self.origin = time.time_ns() - 60 * E9

    def trade(self, mic: str, cents: int, ms: int, size: float = 10) -> int:
        """A sale `ms` milliseconds after the test's origin, seen in its row when this returns."""
        before = (self.price(mic) or {"trades": 0})["trades"]
        match = self.venues[mic].trade(cents, self.origin + ms * 1_000_000, size)
        wait_for(lambda: (self.price(mic) or {"trades": 0})["trades"] > before)
        return match

    def take_back(self, mic: str, match: int) -> None:
        before = (self.price(mic) or {})["trades"]
        self.venues[mic].say(k="x", s="ACME", i=match)
        wait_for(lambda: (self.price(mic) or {"trades": 0})["trades"] < before)

    def price(self, mic: str = "") -> dict[str, Any] | None:
        query = f"?venue={mic}" if mic else ""
        try:
            with urllib.request.urlopen(f"{self.base}prices/ACME{query}") as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def shown(self) -> Any:
        price = self.price()
        return price and (cents(price["price"]), price["venue"])


def cents(price: float) -> int:
    """Above 100."""
    return round((price - 100) * 100)


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.005)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    venues = {mic: Venue(mic) for mic, _, _ in VENUES}
    text = f'[server]\ninstance = "venues-{os.getpid()}"\nport = 0\n[gateway]\n'
    text += "flush_interval = 0.01\n"
    for mic, currency, decimals in VENUES:
        mapping = tmp_path / f"{mic}.toml"
        mapping.write_text(f"size_decimals = {decimals}\n{MAPPING}")
        text += FEED.format(
            name=mic.lower(), venue=mic, currency=currency, mapping=mapping, port=venues[mic].port
        )
    (tmp_path / "ticker.toml").write_text(text)
    command = [sys.executable, "-m", "ticker", "serve", "--config", str(tmp_path / "ticker.toml")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            found = re.search(r"http://\S+/", process.stdout.readline())
            assert found
            for venue in venues.values():
                venue.accept()
            yield Server(found[0], venues)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            for venue in venues.values():
                with contextlib.suppress(AttributeError):
                    venue.close()


@pytest.fixture
def stream(server: Server, client_type: Any) -> Iterator[Callable[[], tuple[int, int]]]:
    """`stream()`: of the next message on ACME, cents above 100 and ms after the origin."""
    server.trade("XNAS", 1, 0)
    client = client_type(int(re.findall(r":(\d+)/", server.base)[0]))
    client.send({"action": "subscribe", "symbols": ["ACME"]})

    def next_price() -> tuple[int, int]:
        message = client.receive()
        assert message["symbol"] == "ACME"
        whole, _, rest = str(message["timestamp"])[:-1].partition(".")
        seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone)
        ns = seconds * E9 + int(rest) * 1000
        return cents(message["price"]), round((ns - server.origin) / 1_000_000)

    assert next_price() == (1, 0)
    yield next_price
    client.close()


def test_the_newest_sale_of_any_venue(
    server: Server, stream: Callable[[], tuple[int, int]]
) -> None:
    """Each of these is on /stream and in REST; what must not be shown would come in between."""
    server.trade("BATS", 2, 10)
    assert stream() == (2, 10)
    server.trade("XNAS", 3, 5)  # older than BATS's, newer than its own
    server.trade("XETR", 9, 99)  # euros
    assert server.shown() == (2, "BATS")
    server.trade("XNAS", 4, 10)  # the same time, received later
    assert stream() == (4, 10)
    assert server.shown() == (4, "XNAS")
    server.trade("BATS", 5, 20)
    assert stream() == (5, 20)
    found = server.price()
    assert found is not None
    assert (found["currency"], found["seq"], found["trades"]) == ("USD", 5, 5)
    euro = server.price("XETR")
    assert euro is not None
    assert (euro["currency"], cents(euro["price"]), euro["trades"]) == ("EUR", 9, 1)


def test_a_sale_taken_back_gives_way_to_any_venue(
    server: Server, stream: Callable[[], tuple[int, int]]
) -> None:
    server.trade("XNAS", 2, 10)
    assert stream() == (2, 10)
    match = server.trade("BATS", 3, 30)
    assert stream() == (3, 30)
    server.take_back("BATS", match)
    assert stream() == (2, 30), "time does not go back"
    assert server.shown() == (2, "XNAS")
    server.trade("BATS", 4, 20)  # older than what was taken back, and yet the newest that is left
    assert stream() == (4, 30)
    assert server.shown() == (4, "BATS")
    server.trade("XNAS", 5, 40)
    assert stream() == (5, 40)


def test_shares_and_fractions_add_up(server: Server) -> None:
    server.trade("XNAS", 2, 0, 100)
    server.trade("BATS", 2, 1, 0.25)
    found = server.price()
    assert found is not None
    assert (found["volume"], found["size"], found["venue"]) == (100.25, 0.25, "BATS")
    own = server.price("XNAS")
    assert own is not None
    assert own["volume"] == 100
