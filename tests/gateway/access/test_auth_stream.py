"""Tokens on /stream: admission, rights, and expiry."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.gateway.conftest import Client, Rig
from ticker.config import Config, GatewayConfig, load, parse
from ticker.config.access import AuthConfig, JwtConfig, TokenConfig
from ticker.gateway.access.auth import hash_token

E9 = 10**9
SECRET = b"0123456789abcdef0123456789abcdef"
V1 = "Sec-WebSocket-Protocol: ticker.v1.json"
Connect = Callable[..., Client]


def token(name: str, **rights: Any) -> TokenConfig:
    return TokenConfig(name=name, sha256=hash_token(f"{name}-token"), **rights)


TOKENS = (
    token("all"),
    token("some", symbols=("A*",), channels=("price",), max_rate=2.0, max_symbols=1),
    token("single", connections=1),
)


def asking(**settings: Any) -> Config:
    return Config(
        gateway=GatewayConfig(max_connections=64),
        auth=AuthConfig(**{"tokens": TOKENS, **settings}),
    )


ASKING = pytest.mark.parametrize("rig", [asking()], indirect=True)


def subscribe(client: Client, *symbols: str, **more: Any) -> None:
    client.send({"action": "subscribe", "symbols": list(symbols), **more})


def until(client: Client, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = client.receive()
        if message["type"] == kind:
            return message


@ASKING
def test_nothing_is_seen_before_a_token_and_everything_after(rig: Rig, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), 185 * E9)
    client = connect(headers=(V1,))
    assert client.receive()["auth"] is True
    subscribe(client, "AAPL", id=7)
    refused = until(client, "error")
    assert (refused["code"], refused["reason"], refused["id"]) == (401, "not_authenticated", 7)
    client.send({"action": "auth", "token": "all-token"})
    assert until(client, "hello")["auth"] is False
    subscribe(client, "AAPL")
    assert until(client, "snapshot")["price"] == 185


@ASKING
@pytest.mark.parametrize(
    "headers",
    [
        ("Authorization: Bearer all-token",),
        (V1 + ", ticker.token.all-token",),
        (V1, "authorization: bearer all-token"),
    ],
)
def test_the_handshake_can_carry_it(rig: Rig, connect: Connect, headers: tuple[str, ...]) -> None:
    rig.trade(rig.row("AAPL"), 185 * E9)
    client = connect(headers=headers)
    assert b"token" not in client.head.lower().partition(b"sec-websocket-protocol")[2]
    subscribe(client, "AAPL")
    assert until(client, "snapshot")["price"] == 185


@ASKING
@pytest.mark.parametrize("by_message", [True, False])
@pytest.mark.parametrize("dialect", [(), (V1,)])
def test_a_wrong_token_is_told_and_closed(
    connect: Connect, by_message: bool, dialect: tuple[str, ...]
) -> None:
    headers = () if by_message else ("Authorization: Bearer wrong",)
    client = connect(headers=(*dialect, *headers))
    if by_message:
        client.send({"action": "auth", "token": "wrong"})
    refused = until(client, "error")
    assert (refused["code"], refused["reason"]) == (402, "auth_failed")
    assert "wrong" not in refused["message"]
    assert client.receive_close() == 4402


@pytest.mark.slow
@pytest.mark.parametrize("rig", [asking(timeout=0.7)], indirect=True)
def test_who_says_nothing_is_closed_in_time(connect: Connect) -> None:
    begun = time.monotonic()
    client, known = connect(headers=(V1,)), connect(headers=("Authorization: Bearer all-token",))
    assert until(client, "error")["code"] == 404
    assert client.receive_close() == 4404
    assert 0.6 < time.monotonic() - begun < 5
    assert known.quiet(0.5), "who is known stays"


@ASKING
def test_a_token_sees_its_symbols_channels_rate_and_number(rig: Rig, connect: Connect) -> None:
    for symbol in ("AAPL", "AMD", "MSFT"):
        rig.trade(rig.row(symbol), 185 * E9)
    client = connect(headers=(V1, "Authorization: Bearer some-token"))
    hello = until(client, "hello")
    assert hello["limits"]["symbols"] == 1
    assert hello["limits"]["max_rate"] == 2
    subscribe(client, "MSFT")
    assert until(client, "subscribed")["rejected"] == [{"symbol": "MSFT", "code": 460}]
    subscribe(client, "AAPL", "AMD")
    assert until(client, "error")["code"] == 405
    subscribe(client, "AAPL", channel="quote")
    assert until(client, "error")["code"] == 401
    client.send({"action": "configure", "max_rate": 1000})
    assert until(client, "configured")["max_rate"] == 2
    subscribe(client, "AAPL")
    assert until(client, "snapshot")["symbol"] == "AAPL"


@ASKING
def test_a_token_may_be_in_use_so_often_and_no_more(
    rig: Rig, connect: Connect, wait_for: Callable[..., None]
) -> None:
    headers = ("Authorization: Bearer single-token",)
    first = connect(headers=headers)
    second = connect(headers=headers)
    assert until(second, "error")["code"] == 406
    assert second.receive_close() == 4406
    first.send({"action": "auth", "token": "single-token"})  # again, on the same connection
    subscribe(first, "NONE")
    assert until(first, "error")["code"] == 460
    first.close()
    wait_for(lambda: rig.counters["connections_open"] == 0)
    subscribe(connect(headers=headers), "NONE")


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("jwt") / "secret"
    path.write_bytes(SECRET)
    return str(path)


@pytest.mark.slow
def test_a_signed_token_ends_with_its_time_and_its_key(
    secret: str, wait_for: Callable[..., None]
) -> None:
    keys = JwtConfig(key_file=secret, algorithms=("HS256",), leeway=0.0)
    rig = Rig(f"jwt{os.getpid()}", asking(tokens=(), jwt=keys))
    try:
        soon = jwt.encode({"exp": time.time() + 1.5, "ticker": {}}, SECRET)
        client = Client(rig.port, headers=(V1, f"Authorization: Bearer {soon}"))
        assert until(client, "hello")["auth"] is False
        assert until(client, "error")["code"] == 402
        assert client.receive_close() == 4402
        client.close()
        new = SECRET[::-1]
        with open(secret, "wb") as file:  # noqa: PTH123
            file.write(new)
        later = jwt.encode({"exp": time.time() + 60, "ticker": {}}, new)
        wait_for(lambda: _lets_in(rig, later))
        assert not _lets_in(rig, jwt.encode({"exp": time.time() + 60, "ticker": {}}, SECRET))
    finally:
        assert rig.close() == 0


def _lets_in(rig: Rig, text: str) -> bool:
    client = Client(rig.port, headers=(V1, f"Authorization: Bearer {text}"))
    try:
        return bool(client.receive()["type"] == "hello")
    finally:
        client.close()


@pytest.mark.parametrize("rig", [asking(required=False)], indirect=True)
def test_where_tokens_are_optional_nobody_is_turned_away(rig: Rig, connect: Connect) -> None:
    rig.trade(rig.row("AAPL"), 185 * E9)
    client = connect(headers=(V1,))
    assert client.receive()["auth"] is False
    subscribe(client, "AAPL")
    assert until(client, "snapshot")["price"] == 185


def test_a_reload_brings_tokens_and_revokes_others(
    tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    path = tmp_path / "ticker.toml"

    def write(*names: str) -> None:
        tables = (f'[[auth.tokens]]\nname = "{n}"\nsha256 = "{hash_token(n)}"\n' for n in names)
        path.write_text("\n".join(["[gateway]\nmax_connections = 64\n", *tables]))

    write("kept", "gone")
    rig = Rig(f"reload{os.getpid()}", parse(path.read_text()), reload=partial(load, path))
    try:
        kept = Client(rig.port, headers=(V1, "Authorization: Bearer kept"))
        gone = Client(rig.port, headers=(V1, "Authorization: Bearer gone"))
        until(gone, "hello")
        write("kept", "new")
        os.kill(rig.pid, signal.SIGHUP)
        assert until(gone, "error")["code"] == 402
        assert gone.receive_close() == 4402
        assert _lets_in(rig, "new")
        assert not _lets_in(rig, "gone")
        path.write_text("[auth]\nrequired = 7\n")  # wrong: what was there holds
        os.kill(rig.pid, signal.SIGHUP)
        subscribe(kept, "NONE")
        assert until(kept, "subscribed")["symbols"] == []
        wait_for(lambda: _lets_in(rig, "new"))
        kept.close()
        gone.close()
    finally:
        assert rig.close() == 0
