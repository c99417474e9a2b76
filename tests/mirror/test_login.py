"""A Redis with TLS, certificates of clients and the users that docs/cluster.md names: they have the
rights that the mirror and a gateway need, and no others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.certificates import Authority
from tests.cluster.servers import running
from tests.conftest import Require
from tests.mirror.redis_servers import REDIS, RedisProgram
from tests.mirror.test_still import Still
from ticker.bench.rig.ports import free_port
from ticker.clock import steady_ns
from ticker.config import RedisConfig
from ticker.gateway.rest.serving.elsewhere import Elsewhere
from ticker.shm.counters import Counters
from ticker.shm.segment import private_gateway

PASSWORD = "both-have-this-5f1c"
pytestmark = pytest.mark.slow


class Guarded(RedisProgram):
    """It has a plain port for the test, and one with TLS that asks for certificates."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.certificate, self.key = self.authority.issue("localhost")
        port = free_port()
        super().__init__(
            folder, "--tls-port", str(port), "--tls-cert-file", self.certificate,
            "--tls-key-file", self.key, "--tls-ca-cert-file", str(self.authority.path),
            "--tls-auth-clients", "yes",
        )  # fmt: skip
        self.url = f"rediss://localhost:{port}"

    def settings(self, user: str) -> dict[str, str]:
        return {
            "user": user,
            "password_env": "TEST_REDIS_PASSWORD",
            "tls_ca": str(self.authority.path),
            "tls_certificate": self.certificate,
            "tls_key": self.key,
        }


@pytest.fixture
def guarded(
    require: Require, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Guarded]:
    require(REDIS, "redis-server is not installed: apt-get install redis-server")
    from redis import Redis

    monkeypatch.setenv("TEST_REDIS_PASSWORD", PASSWORD)
    server = Guarded(tmp_path)
    lines = re.findall(r"^ACL SETUSER .*$", (root / "docs" / "cluster.md").read_text(), re.M)
    assert len(lines) == 2
    with running(server):
        client: Any = Redis(port=server.port, socket_timeout=5)
        for line in lines:
            client.execute_command(*line.replace("PASSWORD", PASSWORD).split())
        client.close()
        yield server


def text_of(settings: dict[str, str]) -> str:
    return "".join(f'{key} = "{value}"\n' for key, value in settings.items())


def reading(guarded: Guarded, settings: dict[str, str]) -> RedisConfig:
    """A gateway's section."""
    return msgspec.convert({"url": guarded.url, "fallback": True, **settings}, RedisConfig)


def read(config: RedisConfig, symbols: list[str]) -> tuple[dict[str, Any], dict[str, int]]:
    """What a gateway finds of symbols, and its counters."""
    counters = Counters(private_gateway(1))

    async def found() -> dict[str, Any]:
        elsewhere = Elsewhere(config, counters, steady_ns)
        try:
            return await elsewhere.read(symbols)
        finally:
            await elsewhere.close()

    return asyncio.run(found()), counters.as_dict()


def test_the_documented_users_have_the_rights_that_are_needed(guarded: Guarded) -> None:
    still = Still(guarded, "publish = true\n" + text_of(guarded.settings("ticker")))
    try:
        assert still.turn(), "all was taken"
        assert len(still.client.keys("latest:*")) == 10
        assert still.mirror.counters["published"] == 10
        assert still.mirror.counters["refused"] == 0
        config = reading(guarded, guarded.settings("gateway"))
        found, counters = read(config, ["S3", "S99"])
        assert list(found) == ["S3"]
        assert found["S3"]["status"] == "stale"
        assert (counters["fallback_hits"], counters["fallback_faults"]) == (1, 0)
    finally:
        still.close()


def test_a_reader_may_not_write_and_a_stranger_is_refused(guarded: Guarded) -> None:
    still = Still(guarded, text_of(guarded.settings("gateway")))
    try:
        assert not still.turn()
        assert still.client.keys("latest:*") == []
        assert still.mirror.counters["failing"] == 1
    finally:
        still.close()
    settings = guarded.settings("gateway") | {"tls_ca": guarded.certificate}
    config = reading(guarded, settings)
    found, counters = read(config, ["S3"])
    assert (found, counters["fallback_faults"]) == ({}, 1)
