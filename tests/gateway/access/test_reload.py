"""What a file says about access takes effect as a whole, at once, or not at all."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.access.test_access import get
from tests.gateway.conftest import Client, Rig
from ticker.config import Config, load, parse
from ticker.gateway.access.auth import hash_token

E9 = 10**9
V1 = "Sec-WebSocket-Protocol: ticker.v1.json"
BASE = "[gateway]\nmax_connections = 64\n"
DESK = f'[auth]\n[[auth.tokens]]\nname = "desk"\nsha256 = "{hash_token("desk")}"\n'
TOKEN = {"Authorization": "Bearer desk"}


def read(path: Path, told: int) -> Config:
    """In the worker: the file, after a word that it is looked at now."""
    os.write(told, b".")
    return load(path)


class Reloading:
    """A gateway whose configuration is in a file; `write` has it read again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(BASE)
        self.looked, told = os.pipe()
        self.rig = Rig(f"whole{os.getpid()}", parse(BASE), reload=partial(read, path, told))
        os.close(told)
        self.rig.trade(self.rig.row("AAPL"), 185 * E9)
        self.rig.trade(self.rig.row("MSFT"), 185 * E9)

    def write(self, more: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(BASE + more)
        new.replace(self.path)
        os.kill(self.rig.pid, signal.SIGHUP)
        assert os.read(self.looked, 1) == b"."  # what is asked from now on is answered after it

    def status(self, **headers: str) -> int:
        return get(self.rig, "/prices/AAPL", **headers)[0]

    def stream(self, *headers: str) -> Client:
        return Client(self.rig.port, headers=(V1, *headers))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Reloading]:
    made = Reloading(tmp_path / "ticker.toml")
    yield made
    assert made.rig.close() == 0
    os.close(made.looked)


def closed(client: Client) -> tuple[int, int]:
    """The error that a client is told, and the code that it is closed with."""
    try:
        code: int = client.until("error")["code"]
        return code, client.receive_close()
    finally:
        client.close()


def sees(client: Client, symbol: str) -> bool:
    client.send({"action": "subscribe", "symbol": symbol})
    found: dict[str, Any] = client.until("subscribed")
    return bool(found["symbols"])


def test_auth_that_comes_holds_for_requests_and_streams_at_once(server: Reloading) -> None:
    open_before = server.stream()
    assert sees(open_before, "AAPL")
    server.write(DESK)
    assert closed(open_before) == (402, 4402)
    assert server.status() == 401
    assert server.status(**TOKEN) == 200
    stranger = server.stream()
    assert stranger.until("hello")["auth"] is True
    stranger.send({"action": "auth", "token": "desk"})
    assert stranger.until("hello")["auth"] is False
    assert sees(stranger, "AAPL")
    stranger.close()


def test_auth_that_goes_is_gone_for_requests_and_streams_at_once(server: Reloading) -> None:
    server.write(DESK)
    assert server.status() == 401
    waiting = server.stream()  # its time to show a token runs
    assert waiting.until("hello")["auth"] is True
    server.write("")
    assert server.status() == 200
    assert server.status(**TOKEN) == 200, "a token that nobody asks for does no harm"
    assert sees(waiting, "AAPL")
    waiting.close()
    client = server.stream()
    assert client.until("hello")["auth"] is False
    assert sees(client, "MSFT")
    client.close()


@pytest.mark.parametrize(
    "wrong",
    [
        "[auth]\nrequired = 7\n",
        "[auth]\n[auth.jwt]\nkey_file = '/nonexistent'\n",
        "[access]\norigins = ['https://desk.example']\n[auth.jwt]\nkey_file = '{file}'\n",
    ],
)
def test_a_file_that_is_wrong_in_one_place_changes_nothing(server: Reloading, wrong: str) -> None:
    server.write(DESK)
    assert server.status() == 401
    kept = server.stream("Authorization: Bearer desk")
    kept.until("hello")
    server.write(wrong.format(file=server.path))  # which is no key file
    assert get(server.rig, "/healthz", Origin="https://desk.example")[0] == 403
    assert (server.status(), server.status(**TOKEN)) == (401, 200)
    assert sees(kept, "AAPL")
    kept.close()


def test_who_sees_something_else_by_default_is_told(server: Reloading) -> None:
    free = DESK.replace("[auth]\n", "[auth]\nrequired = false\n")
    server.write(free)
    client, known = server.stream(), server.stream("Authorization: Bearer desk")
    assert sees(client, "MSFT")
    server.write(free + '[auth.default]\nsymbols = ["A*"]\nmax_rate = 2.0\n')
    assert closed(client) == (402, 4402)
    assert get(server.rig, "/prices/MSFT")[0] == 404
    again = server.stream()
    assert again.until("hello")["limits"]["max_rate"] == 2
    assert not sees(again, "MSFT")
    assert sees(again, "AAPL")
    again.close()
    assert sees(known, "MSFT"), "a token of its own is none of it"
    known.close()
