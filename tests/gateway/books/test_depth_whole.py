"""The books of a whole server with its simulated exchange: what clients have in the end.

Clients come and go, one does not read, a gateway and the feed's worker are killed. Then the
exchange stands still, and every client's own book must be what GET /depth says.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.books.exchange import ClientBook, answered, get
from tests.gateway.conftest import Client, wait_for
from tests.whole_server import whole_server
from ticker.gateway.access.auth import hash_token

SYMBOLS = ("AAPL", "MSFT", "NVDA", "AMZN", "TSLA")
AUTH = f"""
[auth]
required = false
[[auth.tokens]]
name = "prices"
sha256 = "{hash_token("prices-only")}"
channels = ["price"]
"""


class Watcher:
    """A client with a book for each symbol, in a thread; it connects again when it is cut."""

    def __init__(self, port: int, levels: int, *, reads: bool = True) -> None:
        self.port = port
        self.levels = levels
        self.books = {symbol: ClientBook() for symbol in SYMBOLS}
        self.connections = 0
        self.reads = threading.Event()
        if reads:
            self.reads.set()
        self.over = False
        self.fault: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.over:
                try:
                    self._connection()
                except (OSError, EOFError):
                    time.sleep(0.05)
        except BaseException as fault:
            self.fault = fault

    def _connection(self) -> None:
        client = self.client = Client(self.port, protocol="ticker.v1.json", receive_buffer=4096)
        self.connections += 1
        last_seen = dict.fromkeys(SYMBOLS, "")
        client.send({"action": "reconnect", "last_seen": last_seen, "channel": "depth",
                     "levels": self.levels})  # fmt: skip
        for book in self.books.values():
            book.seq = -1
        try:
            while not self.over:
                self.reads.wait()
                message = client.receive()
                if message["type"] in ("depth", "delta"):
                    self.books[message["symbol"]].take(message)
        finally:
            client.close()

    def has(self, symbol: str) -> bool:
        """Whether its book is what GET /depth says."""
        assert self.fault is None, self.fault
        book = self.books[symbol]
        return (book.bids, book.asks) == answered(self.port, symbol, self.levels)

    def close(self) -> None:
        self.over = True
        self.reads.set()
        with contextlib.suppress(OSError):
            self.client.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with whole_server(tmp_path, "depth", 46, AUTH) as url:
        yield int(url.rpartition(":")[2])


def status(port: int) -> Any:
    return get(port, "/status")[1]


def pid_of(port: int, kind: str) -> int:
    return next(int(each["pid"]) for each in status(port)[kind] if each["pid"])


def exchange_of(pid: int) -> int:
    """The simulated exchange beside a worker, another child of its supervisor."""
    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.joinpath("stat").read_text().rpartition(")")[2].split()[1] == parent and (
                b"simulate" in path.joinpath("cmdline").read_bytes()
            ):
                return int(path.name)
        except (OSError, IndexError):
            continue
    raise LookupError("no exchange")


def kill(port: int, kind: str) -> None:
    """SIGKILL to a worker; returns when another one is there."""
    before = pid_of(port, kind)
    os.kill(before, signal.SIGKILL)

    def replaced() -> bool:
        try:
            return pid_of(port, kind) not in (0, before)
        except (OSError, StopIteration):
            return False

    wait_for(replaced, 20)


@pytest.mark.slow
def test_every_book_is_right_in_the_end(port: int) -> None:
    wait_for(lambda: get(port, "/readyz")[0] == 200, 30)
    watchers = [Watcher(port, 10), Watcher(port, 50), Watcher(port, 1)]
    lazy = Watcher(port, 50, reads=False)
    wait_for(lambda: all(book.deltas for book in watchers[0].books.values()), 20)
    kill(port, "feeds")
    wait_for(lambda: status(port)["feeds"][0]["state"] == "live", 30)
    watchers.append(Watcher(port, 3))  # in the middle of all
    kill(port, "gateways")
    wait_for(lambda: all(each.connections > 1 for each in watchers[:3]), 20)
    wait_for(lambda: all(book.deltas for book in watchers[3].books.values()), 20)
    lazy.reads.set()
    exchange = exchange_of(pid_of(port, "feeds"))
    os.kill(exchange, signal.SIGSTOP)
    try:
        for watcher in (*watchers, lazy):
            for symbol in SYMBOLS:
                wait_for(lambda: watcher.has(symbol), 20)  # noqa: B023
    finally:
        os.kill(exchange, signal.SIGCONT)
        for watcher in (*watchers, lazy):
            watcher.close()
    assert [get(port, "/depth/AAPL", "prices-only")[0], get(port, "/depth/AAPL")[0]] == [403, 200]
    headers = ("Authorization: Bearer prices-only",)
    restricted = Client(port, protocol="ticker.v1.json", headers=headers)
    restricted.send({"action": "subscribe", "symbol": "AAPL", "channel": "depth"})
    assert restricted.until("error")["code"] == 401
    restricted.close()
