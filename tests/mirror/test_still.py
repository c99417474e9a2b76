"""The mirror's own process code on a feed in which nothing moves: what the server lost comes back
because the mirror looks, not because of news."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cluster.servers import running, wait_for
from tests.mirror.redis_servers import RedisProgram
from ticker.clock import now_ns
from ticker.config import RedisConfig, parse
from ticker.mirror import worker
from ticker.mirror.context import MirrorContext
from ticker.mirror.worker import Mirror
from ticker.shm import segment
from ticker.shm.counters import LIVE, STALE, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_MIRROR
from ticker.shm.table import HAS, TableWriter

BOOT = 4711
E9 = 1_000_000_000


class Still:
    """Ten symbols, and a mirror of them."""

    def __init__(self, redis: RedisProgram, more: str = "") -> None:
        from redis import Redis

        instance = f"still-{os.getpid()}"
        self.names = [segment.feed_name(instance, "sim"), segment.mirror_name(instance)]
        segment.create_feed(self.names[0], segment.Geometry(64, 1, 64), BOOT, now_ns())
        segment.create_worker(self.names[1], KIND_MIRROR, BOOT, now_ns())
        mapping = segment.attach(self.names[0], KIND_FEED, boot_id=BOOT, writable=True)
        self.beat = Heartbeat(mapping)
        self.beat.take_over(os.getpid(), now_ns())
        self.beat.set_state(LIVE)
        self.table = TableWriter(mapping)
        for number in range(10):
            self.table.add(f"S{number}", "XNAS")
            self.put(number, number + 1)
        config = parse(f'[cluster.redis]\nurl = "{redis.url}"\n{more}')
        context = MirrorContext(self.names[1], BOOT, instance, (("sim", self.names[0]),))
        self.mirror = Mirror(config, context)
        self.client: Any = Redis(port=redis.port, socket_timeout=5)

    def put(self, number: int, price: int) -> None:
        self.table.put(
            number, price=price * E9, exchange_time=now_ns(), seq=price, flags=HAS["price"]
        )

    def turn(self) -> bool:
        self.beat.beat(now_ns())
        return self.mirror.turn()

    def keys(self) -> int:
        return len(self.client.keys("latest:*"))

    def count(self, counter: str) -> int:
        return self.mirror.counters[counter]

    def close(self) -> None:
        self.mirror.server.close()
        self.client.close()
        for name in self.names:
            segment.remove(name)


@pytest.fixture
def still(redis: RedisProgram) -> Iterator[Callable[..., Still]]:
    made: list[Still] = []

    def make(more: str = "") -> Still:
        made.append(Still(redis, more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.slow
def test_only_what_changes_is_written(still: Callable[..., Still]) -> None:
    rig = still()
    assert rig.turn()
    assert (rig.keys(), rig.count("writes")) == (10, 10)
    assert rig.turn()
    assert rig.count("writes") == 10
    rig.put(3, 99)
    assert rig.turn()
    assert rig.count("writes") == 11
    said = orjson.loads(rig.client.get("latest:S3"))
    assert (said["price"], said["seq"], said["epoch"]) == (99, 99, BOOT)


@pytest.mark.slow
def test_an_emptied_server_is_filled(
    still: Callable[..., Still], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PROBE", 0)
    rig = still()
    assert rig.turn()
    rig.client.flushall()
    assert rig.turn()
    assert (rig.keys(), rig.count("renewals")) == (10, 2)


@pytest.mark.slow
def test_a_cut_connection_brings_all_keys_anew(still: Callable[..., Still]) -> None:
    rig = still()
    assert rig.turn()
    rig.client.flushall()
    rig.client.client_kill_filter(_type="normal", skipme=True)
    wait_for(lambda: rig.turn() and rig.keys() == 10)
    assert rig.count("connections") == 2


@pytest.mark.slow
def test_keys_outlive_their_time_only_while_they_are_written(still: Callable[..., Still]) -> None:
    rig = still("ttl = 2")
    wait_for(lambda: rig.turn() and rig.count("writes") >= 20)
    assert rig.keys() == 10
    wait_for(lambda: rig.keys() == 0)


@pytest.mark.slow
def test_the_state_is_told_at_the_end(still: Callable[..., Still]) -> None:
    rig = still()
    rig.turn()
    assert orjson.loads(rig.client.get("latest:S0"))["stale"] is False
    stop = threading.Event()
    stop.set()
    rig.beat.set_state(STALE)
    rig.mirror.serve(stop)
    assert orjson.loads(rig.client.get("latest:S0"))["stale"] is True
    assert rig.count("connected") == 0


@pytest.mark.slow
def test_a_server_that_is_not_there_yet(
    require: Callable[[object, str], None], tmp_path: Path, still: Callable[..., Still]
) -> None:
    del require
    rig = still()
    other = RedisProgram(tmp_path)
    rig.mirror.server = type(rig.mirror.server)(RedisConfig(url=other.url))
    assert not rig.turn()
    assert (rig.count("failing"), rig.count("faults")) == (1, 1)
    with running(other):
        wait_for(rig.turn)
        assert (rig.count("failing"), rig.count("writes")) == (0, 10)
