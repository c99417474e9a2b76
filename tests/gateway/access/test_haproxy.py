"""The HAProxy of docs/security.md in front of a gateway: TLS there, PROXY headers to here."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.conftest import Require
from tests.gateway.conftest import Client, Rig
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig

BEHIND = Config(
    gateway=GatewayConfig(max_connections=64),
    access=AccessConfig(proxies=("127.0.0.1",), proxy_protocol=True, connections_per_address=2),
)
E9 = 10**9
pytestmark = pytest.mark.slow


@pytest.fixture
def proxied(
    rig: Rig, root: Path, tmp_path: Path, require: Require, wait_for: Callable[..., None]
) -> Iterator[tuple[int, ssl.SSLContext]]:
    """Port of a proxy that runs the documented configuration, and what its clients trust."""
    require("haproxy", "there is no haproxy")
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    pem = tmp_path / "ticker.pem"
    pem.write_bytes(Path(certificate).read_bytes() + Path(key).read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    document = (root / "docs" / "security.md").read_text()
    found = re.search(r"```haproxy\n(.*?)```", document, re.DOTALL)
    assert found is not None
    text = found.group(1)
    for documented, here in (
        ("/etc/haproxy/ticker.pem", str(pem)),
        ("bind :443", f"bind 127.0.0.1:{port}"),
        ("127.0.0.1:8700", f"127.0.0.1:{rig.port}"),
        ("maxconn 100000", "maxconn 100"),
    ):
        assert documented in text
        text = text.replace(documented, here)
    (tmp_path / "haproxy.cfg").write_text(text)
    with subprocess.Popen(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")]) as process:
        try:
            wait_for(lambda: _listens(port))
            yield port, authority.client_context()
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("rig", [BEHIND], indirect=True)
def test_streams_and_requests_through_the_documented_proxy(
    rig: Rig, proxied: tuple[int, ssl.SSLContext], wait_for: Callable[..., None]
) -> None:
    port, trusted = proxied
    row = rig.row("AAPL")
    rig.trade(row, 185 * E9)
    wait_for(lambda: rig.counters["connections_open"] == 0)
    client = Client(port, tls=trusted, source="127.0.0.5")
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    assert client.receive()["price"] == 185
    rig.trade(row, 186 * E9)
    assert client.receive()["price"] == 186
    request = Client(port, tls=trusted, source="127.0.0.5", handshake=False)
    request.socket.sendall(b"GET /prices/AAPL HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert request.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
    # the third of one address is refused, however they all come from the proxy
    refused = Client(port, tls=trusted, source="127.0.0.5", handshake=False)
    refused.socket.sendall(refused.request())
    assert refused.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 429")
    other = Client(port, tls=trusted, source="127.0.0.6")
    assert other.head.startswith(b"HTTP/1.1 101")
    for each in (client, request, refused, other):
        each.close()
