"""The rights of readers of events: tokens, pages of other origins, TLS."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.gateway.conftest import new_rig
from tests.gateway.event_reader import EventReader, Read
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig, AuthConfig, TlsConfig, TokenConfig
from ticker.gateway.access.auth import hash_token

E9 = 10**9


def token(name: str, **rights: Any) -> TokenConfig:
    return TokenConfig(name=name, sha256=hash_token(f"{name}-token"), **rights)


ASKING = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(
        tokens=(
            token("all"),
            token("some", symbols=("A*",), max_symbols=1, max_rate=2.0),
            token("single", connections=1),
        )
    ),
    access=AccessConfig(origins=("http://desk.example",)),
)


@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_tokens(rig: Any, read: Read) -> None:
    for symbol in ("AAPL", "ABNB", "MSFT"):
        rig.trade(rig.row(symbol), E9)
    path = "/stream?symbols=AAPL"
    assert read(path).status == 401
    assert read(path, "Authorization: Bearer wrong").status == 401
    assert read(f"{path}&token=wrong").status == 401
    assert read(path, "Authorization: Bearer all-token").until("snapshot")["price"] == 1
    assert read(f"{path}&token=all-token").until("snapshot")["price"] == 1
    some = read("/stream?symbols=MSFT&token=some-token")
    assert some.event()["limits"]["max_rate"] == 2
    assert some.until("subscribed")["rejected"] == [{"symbol": "MSFT", "code": 460}]
    many = read(f"{path},ABNB&token=some-token")
    assert many.status == 400
    assert "1 is the most for your token" in many.body()["detail"]
    first = read(f"{path}&token=single-token")
    first.until("snapshot")
    assert read(f"{path}&token=single-token").status == 429
    first.close()
    deadline = time.monotonic() + 5
    while read(f"{path}&token=single-token").status != 200:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_a_listed_page_may_read(rig: Any, read: Read) -> None:
    rig.trade(rig.row("AAPL"), E9)
    page = "Origin: http://desk.example"
    reader = read("/stream?symbols=AAPL&token=all-token", page)
    assert reader.until("snapshot")["price"] == 1
    assert "Access-Control-Allow-Origin: http://desk.example" in reader.head
    asked = ("Access-Control-Request-Method: GET", "Access-Control-Request-Headers: last-event-id")
    preflight = read("/stream?symbols=AAPL", page, *asked, method="OPTIONS")
    assert preflight.status == 204
    assert "Last-Event-ID" in preflight.head


def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    rig = new_rig(
        Config(
            gateway=GatewayConfig(max_connections=64),
            tls=TlsConfig(certificate=certificate, key=key),
        )
    )
    try:
        row = rig.row("AAPL")
        rig.trade(row, E9)
        reader = EventReader(rig.port, "/stream?symbols=AAPL", tls=authority.client_context())
        assert isinstance(reader.socket, ssl.SSLSocket)
        assert reader.until("snapshot")["price"] == 1
        rig.trade(row, 2 * E9)
        assert reader.event()["price"] == 2
        reader.close()
    finally:
        assert rig.close() == 0
