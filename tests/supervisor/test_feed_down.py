"""A feed of a running server whose worker cannot start again: down, with its reason, and alone."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest

from tests.supervised import until
from tests.whole_server import whole_server

pytestmark = pytest.mark.slow

MAPPING = '[[records]]\nname = "t"\nkind = "trade"\nsymbol = "s"\nprice = "p"\n'
FEED = """
[[feeds]]
name = "mine"
protocol = "json"
venue = "XNYS"
calendar = "none"
url = "{url}"
mapping = "{mapping}"
heartbeat = 0.5
required = false
rows = 64
rings = 1
ring_capacity = 256
"""


@contextmanager
def vendor() -> Iterator[str]:
    """A TCP server that tells whoever comes a price ten times a second; its URL."""
    over = threading.Event()

    def speak(client: socket.socket) -> None:
        with client:
            try:
                while not over.wait(0.1):
                    client.sendall(b'{"s":"MINE","p":"1.5"}\n')
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=speak, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)


def test_its_reason_is_seen_and_the_others_go_on(tmp_path: Path) -> None:
    mapping = tmp_path / "mine.toml"
    mapping.write_text(MAPPING)

    def feeds() -> dict[str, dict[str, Any]]:
        with urlopen(f"{url}/status") as answer:
            found = msgspec.json.decode(answer.read())["feeds"]
        return {each["name"]: each for each in found}

    def price() -> dict[str, Any]:
        with urlopen(f"{url}/prices/MINE") as answer:
            found: dict[str, Any] = msgspec.json.decode(answer.read())
        return found

    with vendor() as address:
        more = FEED.format(url=address, mapping=mapping)
        with whole_server(tmp_path, "down", 97, more) as url:
            until(lambda: {each["status"] for each in feeds().values()} == {"live"}, 20)
            assert feeds()["mine"]["why"] is None
            pid = feeds()["mine"]["pid"]
            mapping.write_text("[[records")
            os.kill(pid, signal.SIGKILL)
            until(lambda: feeds()["mine"]["why"] == "not_started", 20)
            found = feeds()
            assert (found["mine"]["state"], found["mine"]["status"]) == ("stale", "stale")
            assert (found["sim"]["status"], found["sim"]["why"]) == ("live", None)
            until(lambda: price()["stale"], 3)
            assert price()["price"] == 1.5
            with urlopen(f"{url}/metrics") as answer:
                assert b'ticker_feed_stale{feed="mine",reason="not_started"} 1.0' in answer.read()
            mapping.write_text(MAPPING)
            until(lambda: feeds()["mine"]["status"] == "live", 40)
            until(lambda: not price()["stale"], 3)
