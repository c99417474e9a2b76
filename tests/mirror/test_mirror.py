"""A whole server with a real Redis beside it: what the keys have, and what faults of the Redis do.

All tests share one server, and leave its mirror whole.
"""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Box, running, wait_for
from tests.mirror.redis_servers import REDIS, RedisProgram

PASSWORD = "long-and-secret-2b7e"
SYMBOLS = 50
WHOLE = 2.0
"""s in which the mirror is whole again."""

pytestmark = pytest.mark.slow


class Mirrored:
    """The server, its Redis, and a client of the Redis."""

    def __init__(self, redis: RedisProgram, box: Box) -> None:
        from redis import Redis

        self.redis = redis
        self.box = box
        self.client: Any = Redis(port=redis.port, password=PASSWORD, socket_timeout=5)
        self.symbols: list[str] = []

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.box.url + path, timeout=5) as answer:
            return json.load(answer)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/status")["mirror"]
        return found

    def object(self, symbol: str) -> dict[str, Any]:
        found = self.client.get(f"latest:{symbol}")
        return json.loads(found) if found else {}

    def learn(self) -> bool:
        """Whether all symbols have traded."""
        self.symbols = [each["symbol"] for each in self.get("/symbols?limit=1000")["symbols"]]
        return len(self.symbols) == SYMBOLS and len(self.newest()) == SYMBOLS

    def newest(self) -> dict[str, int]:
        """The seq of each symbol by REST."""
        found = self.get(f"/prices?symbols={','.join(self.symbols)}")["prices"]
        return {each["symbol"]: each["seq"] for each in found}

    def goes_on(self, before: int) -> bool:
        """Whether the server has more trades by REST than so many."""
        return sum(self.newest().values()) > before

    def whole(self, seconds: float = 20.0) -> None:
        """Wait until the prices of this moment, or newer ones, are all there."""
        moment = self.newest()
        keys = [f"latest:{symbol}" for symbol in moment]

        def there() -> bool:
            found = [json.loads(each)["seq"] if each else -1 for each in self.client.mget(keys)]
            return all(seq >= old for seq, old in zip(found, moment.values(), strict=True))

        wait_for(there, seconds=seconds)

    def fails(self, words: str) -> None:
        def said() -> bool:
            state = self.state()
            return state["state"] == "failing" and words in state["reason"]

        wait_for(said)
        assert self.get("/readyz")["status"] == "ready", "nothing else notices"

    def works(self) -> None:
        wait_for(lambda: self.state()["state"] == "ok")


@pytest.fixture(scope="module")
def mirrored(
    require: Callable[[object, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mirrored]:
    require(REDIS, "redis-server is not installed: apt-get install redis-server")
    folder: Path = tmp_path_factory.mktemp("mirror")
    redis = RedisProgram(folder, "--requirepass", PASSWORD)
    box = Box(
        folder,
        f"""
[server]
instance = "INSTANCE"
port = 0
[store]
enabled = false
[cluster.redis]
url = "{redis.url}"
password_env = "MIRROR_PASSWORD"
publish = true
[[feeds]]
name = "sim"
protocol = "itch50"
venue = "XNAS"
lines = ["239.192.77.1:26477", "239.192.77.2:26477"]
rerequest = "127.0.0.1:26579"
rows = 2048
simulator = {{ symbols = {SYMBOLS}, rate = 1000, loss = 0.0 }}
""",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRROR_PASSWORD", PASSWORD)
        with running(redis, box):
            found = Mirrored(redis, box)
            wait_for(found.learn)
            yield found
        assert PASSWORD not in box.log.read_text()


def test_a_key_has_the_object_of_rest_with_the_epoch(mirrored: Mirrored) -> None:
    mirrored.whole()
    epoch = mirrored.get("/status")["epoch"]
    for symbol in mirrored.symbols[:10]:

        def same(symbol: str = symbol) -> bool:
            by_rest = mirrored.get(f"/prices/{symbol}")
            return bool(mirrored.object(symbol) == by_rest | {"epoch": epoch})

        wait_for(same)
        assert 0 < mirrored.client.ttl(f"latest:{symbol}") <= 60
    mirrored.works()
    assert mirrored.state()["keys"] <= SYMBOLS
    with urllib.request.urlopen(f"{mirrored.box.url}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'ticker_mirror_connected{mirror="mirror"} 1.0' in text
    assert 'ticker_mirror_failing{mirror="mirror"} 0.0' in text


def test_changes_are_published(mirrored: Mirrored) -> None:
    symbol = mirrored.symbols[0]
    with mirrored.client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(f"latest:{symbol}")
        seen: list[int] = []
        end = time.monotonic() + 20
        while len(seen) < 3 and time.monotonic() < end:
            message = heard.get_message(timeout=1)
            if message is not None:
                said = json.loads(message["data"])
                assert said["symbol"] == symbol
                seen.append(said["seq"])
    assert len(seen) == 3
    assert seen == sorted(seen), "a quote changes no seq"


def test_killed_and_started_again_empty(mirrored: Mirrored) -> None:
    mirrored.redis.kill()
    mirrored.fails("cannot be reached")
    seqs = sum(mirrored.newest().values())
    wait_for(lambda: sum(mirrored.newest().values()) > seqs)
    mirrored.redis.start()
    mirrored.whole(WHOLE)
    mirrored.works()


def test_stopped_for_a_while(mirrored: Mirrored) -> None:
    mirrored.redis.send_signal(signal.SIGSTOP)
    try:
        mirrored.fails("does not answer in time")
    finally:
        mirrored.redis.send_signal(signal.SIGCONT)
    mirrored.whole(WHOLE)
    mirrored.works()


@pytest.mark.stress
def test_made_slow(mirrored: Mirrored) -> None:
    """It answers each time, but late: nothing else notices, and all keys come after it."""
    for _ in range(5):
        mirrored.client.client_pause(700)
        wait_for(partial(mirrored.goes_on, sum(mirrored.newest().values())), seconds=WHOLE)
    mirrored.client.ping()
    mirrored.whole(WHOLE)
    mirrored.works()


def test_a_wrong_password(mirrored: Mirrored) -> None:
    mirrored.client.config_set("requirepass", "another")
    mirrored.client.client_kill_filter(_type="normal", skipme=True)
    mirrored.fails("refuses the user or the password")
    assert "correct user and password_env" in mirrored.box.log.read_text()
    mirrored.client.config_set("requirepass", PASSWORD)
    mirrored.whole(WHOLE)
    mirrored.works()


def test_out_of_memory(mirrored: Mirrored) -> None:
    mirrored.client.config_set("maxmemory", "1")
    mirrored.fails("out of memory")
    assert "raise maxmemory" in mirrored.box.log.read_text()
    mirrored.client.config_set("maxmemory", "0")
    mirrored.whole(WHOLE)
    mirrored.works()


def test_a_replica_refuses_to_be_written(mirrored: Mirrored) -> None:
    mirrored.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    mirrored.fails("is a replica")
    mirrored.client.execute_command("REPLICAOF", "NO", "ONE")
    mirrored.whole(WHOLE)
    mirrored.works()


def test_a_user_without_rights(mirrored: Mirrored) -> None:
    client = mirrored.client
    client.execute_command("ACL", "SETUSER", "default", "-set")
    mirrored.fails("lacks a right")
    client.execute_command("ACL", "SETUSER", "default", "+set")
    mirrored.whole(WHOLE)
    mirrored.works()
