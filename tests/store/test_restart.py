"""A server that was killed whole comes back with its last prices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ticker.shm.segment import leftovers, remove

CONFIG = """
[server]
instance = "{instance}"
port = 0
log = "json"

[store]
interval = 0.2
{store}

[[feeds]]
name = "desk"
protocol = "json"
mapping = "plain"
calendar = "none"
venue = "XNAS"
url = "tcp://127.0.0.1:{port}"
heartbeat = 1.0
rows = 64
rings = 1
ring_capacity = 64
"""
"""A feed that nobody serves unless the test does: its prices stay as they are."""


class Server:
    """A whole server, and what it said."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.log = folder / f"{time.monotonic_ns()}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ticker", "serve", "--config", str(config)],
                stdout=subprocess.PIPE,
                stderr=out,
            )
        assert self.process.stdout is not None
        self.where = self.process.stdout.readline().decode().split()[1].rstrip("/")

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self.where + path, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in found if line["event"] == event]

    def worker(self, name: str) -> int:
        """The newest pid of a worker."""
        return int([line["pid"] for line in self.lines("started") if line["worker"] == name][-1])

    def kill(self) -> None:
        """SIGKILL of every process of the server."""
        for line in self.lines("started"):
            try:
                os.kill(line["pid"], signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def kill_without_store(self) -> None:
        """SIGKILL of the supervisor after one of the store worker, which it had no time to see."""
        self.process.send_signal(signal.SIGSTOP)
        os.kill(self.worker("store"), signal.SIGKILL)
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running(folder: Path, config: Path) -> Iterator[Server]:
    server = Server(folder, config)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
            server.process.wait(20)
        assert server.process.stdout is not None
        server.process.stdout.close()


def until(condition: Any, seconds: float = 15.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def venue() -> Iterator[Any]:
    """A TCP server that sends lines of JSON to its one client."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        yield listener


@pytest.fixture
def config(tmp_path: Path, venue: Any) -> Iterator[Path]:
    path = tmp_path / "ticker.toml"
    instance, port = f"store-{os.getpid()}", venue.getsockname()[1]
    path.write_text(CONFIG.format(instance=instance, port=port, store=""))
    yield path
    lose_memory()


def lose_memory() -> None:
    """As when the machine goes down."""
    for name in leftovers(f"store-{os.getpid()}"):
        remove(name)


def trade(symbol: str, price: str) -> bytes:
    now = time.time_ns() // 1_000_000
    return f'{{"sym":"{symbol}","px":{price},"ts":{now}}}\n'.encode()


@pytest.mark.slow
def test_prices_are_back_before_the_feed_is(tmp_path: Path, config: Path, venue: Any) -> None:
    with running(tmp_path, config) as server:
        client, _ = venue.accept()
        with client:
            client.sendall(trade("AAPL", "185.42") + trade("MSFT", "410.1"))
            until(lambda: server.get("/prices/MSFT")[0] == 200)
            until(lambda: not server.get("/prices/AAPL")[1]["stale"])
            before = server.get("/prices/AAPL")[1]
            folder = Path(os.environ["XDG_STATE_HOME"]) / "ticker" / f"store-{os.getpid()}" / "last"
            until(lambda: len(list(folder.glob("desk.[01]"))) > 0)
            time_written = until(lambda: max(p.stat().st_mtime for p in folder.glob("desk.[01]")))
            until(lambda: time.time() - time_written > 0.5)
            server.kill()
            lose_memory()
    venue.close()  # nobody feeds the next life
    with running(tmp_path, config) as server:
        status, after = server.get("/prices/AAPL")
        assert status == 200
        assert (after["price"], after["seq"]) == (before["price"], before["seq"])
        assert after["exchange_timestamp"] == before["exchange_timestamp"]
        assert after["stale"]
        assert after["status"] == "stale"
        assert server.get("/readyz") == (200, {"status": "restored"})
        (line,) = server.lines("last prices restored")
        assert (line["feed"], line["rows"], line["damaged"]) == ("desk", 2, 0)
        assert line["source"] == "disk"


@pytest.mark.slow
def test_a_file_that_is_no_snapshot_costs_prices_and_not_the_start(
    tmp_path: Path, config: Path, venue: Any
) -> None:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "ticker" / f"store-{os.getpid()}" / "last"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "desk.0").write_bytes(b"TICKSNAP of something else")
    with running(tmp_path, config) as server:
        assert server.get("/healthz")[0] == 200
        assert server.get("/readyz")[0] == 503
        (line,) = server.lines("a snapshot cannot be read")
        assert "desk.0" in line["reason"]
    assert venue.fileno() >= 0


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_told_and_prices_go_on(
    tmp_path: Path, config: Path, venue: Any
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    text = config.read_text().replace("interval = 0.2", 'interval = 0.2\nfolder = "taken/store"')
    config.write_text(text.replace('"taken/store"', f'"{tmp_path / "taken" / "store"}"'))
    with running(tmp_path, config) as server:
        client, _ = venue.accept()
        with client:
            client.sendall(trade("AAPL", "185.42"))
            until(lambda: server.get("/prices/AAPL")[0] == 200)
            line = until(lambda: server.lines("cannot be written"))[0]
            assert "name another folder" in line["reason"]
            store = server.get("/status")[1]["store"]
            assert store["state"] == "failing"
            assert store["reason"]


def left(folder: Path, config: Path, venue: Any, how: Callable[[Server], None]) -> dict[str, Any]:
    """What REST says of a symbol after a start, whose server before ended so; two trades of it, of
    which the store has seen the first one at most."""
    with running(folder, config) as server:
        client, _ = venue.accept()
        with client:
            client.sendall(trade("AAPL", "185.42"))
            until(lambda: server.get("/prices/AAPL")[0] == 200)
            until(lambda: server.get("/status")[1]["store"]["snapshot_age"] is not None)
            client.sendall(trade("AAPL", "186.5"))
            until(lambda: server.get("/prices/AAPL")[1]["seq"] == 2)
            how(server)
    with running(folder, config) as server:
        found: dict[str, Any] = server.get("/prices/AAPL")[1]
        (line,) = server.lines("last prices restored")
        assert line["source"] == "shared memory"
        return found


@pytest.mark.slow
@pytest.mark.parametrize("how", [Server.kill, Server.kill_without_store])
def test_no_kill_of_processes_loses_a_price(
    tmp_path: Path, config: Path, venue: Any, how: Callable[[Server], None]
) -> None:
    """The store writes once in an hour, so the disk does not have the second trade."""
    config.write_text(config.read_text().replace("interval = 0.2", "interval = 3600.0"))
    found = left(tmp_path, config, venue, how)
    assert (found["price"], found["seq"], found["stale"]) == (186.5, 2, True)


@pytest.mark.slow
def test_a_server_that_ends_with_a_full_disk_leaves_its_prices_in_memory(
    tmp_path: Path, config: Path, venue: Any
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    text = config.read_text().replace(
        "interval = 0.2", f'interval = 0.2\nfolder = "{tmp_path / "taken" / "store"}"'
    )
    config.write_text(text)
    with running(tmp_path, config) as server:
        client, _ = venue.accept()
        with client:
            client.sendall(trade("AAPL", "185.42"))
            until(lambda: server.get("/prices/AAPL")[0] == 200)
            until(lambda: server.lines("cannot be written"))
            server.end()
    assert server.lines("last prices stay in shared memory")
    with running(tmp_path, config) as server:
        assert server.get("/prices/AAPL")[1]["price"] == 185.42
