"""Kafka on a real broker: as bus and as log, prices for other programs, and logins."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.certificates import Authority
from tests.cluster.kafka.reading import Reader, partition_by_key
from tests.cluster.kafka.server import MISSING, PASSWORD, THERE, USER, Kafka
from tests.cluster.log.records import Told
from tests.cluster.log.replaying import check_replay, check_served
from tests.cluster.log.test_kept import check_late_box
from tests.cluster.pair import SHARDS, Box, Frames, Pair
from tests.cluster.servers import cluster_name, gateway, ingest, running, wait_for
from tests.cluster.source import Source, count, rows_of
from tests.cluster.test_boxes import status
from tests.cluster.test_topic import E9, EPOCH, in_rest
from tests.cluster.watching import Watch, same_rows, stop_exchange
from ticker.clock import now_ns
from ticker.cluster.buses.kafka import KafkaBus
from ticker.cluster.frame import FrameKind, head_of, identity
from ticker.cluster.log.kafka import KafkaReader
from ticker.cluster.subjects import Subjects, shard_in
from ticker.cluster.workers.pricing import pricing_of
from ticker.config import ClusterConfig, KafkaConfig, LogConfig

Require = Callable[[object, str], None]
BUS = """bus = "kafka"
[cluster.kafka]
partitions = 4
[cluster.log]
checkpoint_interval = 1
"""


@pytest.mark.slow
def test_frames_come_by_kafka_and_are_read_from_it_again(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(published_and_read(kafka, monkeypatch))


async def published_and_read(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source's frames by the bus into a box; then the same from the log into another one."""
    config = ClusterConfig(
        name="test", bus="kafka", servers=(kafka.url,), shards=SHARDS, log=LogConfig(),
        kafka=KafkaConfig(partitions=3, linger=0.005),
    )  # fmt: skip
    subjects = Subjects("test", "feed")
    pair = Pair()
    bus = KafkaBus(config, "test", quiet=True)
    for pattern in (subjects.deltas[0], subjects.images):
        bus.subscribe(pattern, lambda name, frame: hear(pair.box, name, frame))
    running_bus = asyncio.ensure_future(bus.run())
    assert not bus.publish([(b"tk.test.feed.t.1", b"nobody is there yet")])
    await until(lambda: bus.connected)
    names = [f"S{number}" for number in range(30)]
    rows = [pair.source.add(name) for name in names]
    sent = 0

    def publish(frames: Frames) -> None:
        of = {FrameKind.FRAME_DELTA: subjects.delta, FrameKind.FRAME_IMAGE: subjects.image}
        nonlocal sent
        sent += len(frames)
        assert bus.publish([(of[FrameKind(kind)](shard), frame) for kind, shard, frame in frames])

    publish(pair.images())
    for turn in range(20):
        for row in rows:
            pair.source.trade(row, 100 + turn)
        publish(pair.frames())
    await until(lambda: rows_of(pair.box.mapping) == rows_of(pair.source.mapping))
    assert pair.box.incoming.wanting() == []
    await until(lambda: bus.delivered == sent)
    assert bus.failed == 0
    running_bus.cancel()
    await asyncio.gather(running_bus, return_exceptions=True)
    await read_again(config, subjects, pair, monkeypatch)


async def read_again(
    config: ClusterConfig, subjects: Subjects, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more than may wait is of partitions whose turn has not come."""
    again = Box()
    prefixes = tuple(each[:-1].encode() for each in (subjects.deltas[0], subjects.images))
    monkeypatch.setattr("ticker.cluster.log.kafka.MOST_WAITING", 1)
    monkeypatch.setattr("ticker.cluster.log.kafka.AT_ONCE", 1)
    reader = KafkaReader(config, prefixes, None, 0, in_order=True)
    task = asyncio.ensure_future(reader.run())
    await until(lambda: reader.at_end or bool(take(reader, again)))
    while not reader.at_end:
        await reader.wait(0.1)
        take(reader, again)
    assert rows_of(again.mapping) == rows_of(pair.source.mapping)
    assert count(again.mapping, "trades") == 600
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def hear(box: Box, name: bytes, frame: bytes) -> None:
    box.take([(0, shard_in(name), frame)])


def take(reader: KafkaReader, box: Box) -> list[int]:
    return box.take([(0, shard_in(name), frame) for name, frame in reader.take(100)])


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(config: ClusterConfig) -> AsyncIterator[KafkaBus]:
    """A bus of this configuration."""
    bus = KafkaBus(config, "test", quiet=True)
    task = asyncio.ensure_future(bus.run())
    try:
        await until(lambda: bus.connected)
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# -- prices for other programs ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("value", ["json", pytest.param("frame", marks=pytest.mark.stress)])
def test_other_programs_read_prices_by_symbol(kafka: Kafka, value: str) -> None:
    asyncio.run(prices_told(kafka, value))


async def prices_told(kafka: Kafka, value: Any) -> None:
    """Each message has its symbol as key, and all of a symbol are in the partition that Kafka's own
    clients would take, in their order."""
    topic, symbols = f"prices-{value}", [f"SYM{number}" for number in range(40)]
    config = ClusterConfig(
        name=f"p-{value}", bus="kafka", servers=(kafka.url,), shards=8, row_interval=0.01,
        kafka=KafkaConfig(partitions=5, linger=0.005, prices=value, topic=topic),
    )  # fmt: skip
    source, reader = Source(), Reader(kafka, topic)
    rows = [source.add(symbol) for symbol in symbols]
    seq = seq_of_object if value == "json" else seq_of_frame
    async with connected(config) as bus:
        pricing = pricing_of(bus, config, "sim", source.mapping, 0)
        assert pricing is not None
        for turn in range(15):
            for row in rows:
                source.trade(row, (100 + turn) * E9)
            pricing.turn(EPOCH, now_ns(), ages=False)
            await asyncio.sleep(0.01)
        wanted = dict.fromkeys(symbols, 15)
        while newest(reader.by_key(seq)) != wanted:
            pricing.turn(EPOCH, now_ns(), ages=True)
            reader.look()
            await asyncio.sleep(0)
        assert bus.untold == 0
    reader.close()
    assert all(each == sorted(each) for each in reader.by_key(seq).values())
    partitions: dict[bytes, set[int | None]] = {}
    for message in reader.found:
        partitions.setdefault(message.key() or b"", set()).add(message.partition())
    assert partitions == {
        symbol.encode(): {partition_by_key(symbol.encode(), 5)} for symbol in symbols
    }
    if value == "json":
        last = {message.key(): message.value() for message in reader.found}
        assert {key: orjson.loads(each or b"") for key, each in last.items()} == {
            symbol.encode(): orjson.loads(orjson.dumps({**in_rest(source, symbol), "stale": False}))
            for symbol in symbols
        }
    else:
        trades = sum(trades_of_frame(message.value() or b"") for message in reader.found)
        assert trades == 15 * len(symbols)


def newest(found: dict[str, list[int]]) -> dict[str, int]:
    return {key: each[-1] for key, each in found.items()}


def seq_of_object(value: bytes) -> int:
    return int(orjson.loads(value)["seq"])


def trades_of_frame(value: bytes) -> int:
    head = head_of(value, identity("p-frame", "sim"))
    assert head.kind == FrameKind.FRAME_DELTA
    return int.from_bytes(value[44:48], "little")


def seq_of_frame(value: bytes) -> int:
    """Of the newest trade, at the end."""
    assert trades_of_frame(value)
    return int.from_bytes(value[-8:], "little")


# -- partitions by interest ---------------------------------------------------------------------


@pytest.mark.slow
def test_only_followed_partitions_are_read(kafka: Kafka) -> None:
    asyncio.run(followed(kafka))


async def followed(kafka: Kafka) -> None:
    """A box that watches one shard, then a pinned symbol, too, then only that."""
    config = ClusterConfig(
        name="watching", bus="kafka", servers=(kafka.url,), shards=6, pinned=("HOT",),
        kafka=KafkaConfig(partitions=3, linger=0.0),
    )  # fmt: skip
    subjects = Subjects("watching", "sim", "ticks", 6, ("HOT",))
    got: list[bytes] = []

    def hear(subject: bytes, _: bytes) -> None:
        got.append(subject)

    async with connected(config) as speaker, connected(config) as box:
        assert box.reading == {("tk.watching.control", 0)}
        first = box.subscribe(subjects.delta(1).decode(), hear)

        async def heard(*wanted: bytes) -> None:
            """Of one message to each shard, time and again, these come."""
            got.clear()
            await until(
                lambda: (
                    speaker.publish([(subjects.delta(shard), b"x") for shard in range(7)])
                    and set(wanted) <= set(got)
                )
            )
            assert set(got) <= set(wanted)

        await heard(b"tk.watching.sim.t.1")
        assert box.reading == {("tk.watching.control", 0), ("tk.watching.frames", 1)}
        box.subscribe(subjects.delta(6).decode(), hear)
        await heard(b"tk.watching.sim.t.1", b"tk.watching.sim.t.pin.HOT")
        assert ("tk.watching.frames", 3) in box.reading
        box.unsubscribe(first)
        await heard(b"tk.watching.sim.t.pin.HOT")
        await until(lambda: ("tk.watching.frames", 1) not in box.reading)
        assert box.connected


# -- logins -------------------------------------------------------------------------------------


async def answered(config: ClusterConfig) -> str:
    """Why the broker does not answer; empty: it does."""
    bus = KafkaBus(config, "test", quiet=True)
    task = asyncio.ensure_future(bus.run())
    await until(lambda: bus.connected or bool(bus.said.last))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return "" if bus.connected else bus.said.last


def said_by(kafka: Kafka, listener: str, mechanism: str = "PLAIN", **more: Any) -> str:
    config = ClusterConfig(
        name="login", bus="kafka", servers=(kafka.urls[listener],),
        kafka=KafkaConfig(partitions=1, options={"sasl.mechanism": mechanism}), **more,
    )  # fmt: skip
    return asyncio.run(answered(config))


@pytest.mark.slow
@pytest.mark.parametrize(
    "mechanism", ["PLAIN", pytest.param("SCRAM-SHA-512", marks=pytest.mark.stress)]
)
def test_a_password_is_asked_for(
    kafka: Kafka, mechanism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHT", PASSWORD)
    monkeypatch.setenv("WRONG", "0ther")
    trusted = {"tls": True, "tls_ca": str(kafka.authority.path)}

    def said(listener: str, secret: str, **more: Any) -> str:
        return said_by(kafka, listener, mechanism, user=USER, password_env=secret, **more)

    assert said("LOGIN", "RIGHT") == ""
    assert said("SECURE", "RIGHT", **trusted) == ""
    refusal = said("SECURE", "WRONG", **trusted)
    assert "correct user and password_env of [cluster]" in refusal
    assert "0ther" not in refusal


@pytest.mark.slow
def test_a_certificate_is_asked_for_and_shown(kafka: Kafka, tmp_path: Path) -> None:
    certificate, key = kafka.authority.issue("box")
    mine = {"tls_certificate": certificate, "tls_key": key}
    trusted: dict[str, Any] = {"tls": True, "tls_ca": str(kafka.authority.path)}
    assert said_by(kafka, "MUTUAL", **trusted, **mine) == ""
    foreign = {"tls": True, "tls_ca": str(Authority(tmp_path).path)}
    for more in (trusted, {**foreign, **mine}):
        assert "correct tls_ca, tls_certificate and tls_key" in said_by(kafka, "MUTUAL", **more)


@pytest.mark.stress
def test_a_box_that_shows_nothing_is_told_what_the_broker_may_want(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticker.cluster.buses.kafka.OPEN", 300_000_000)
    assert "set tls, or user and password_env, of [cluster]" in said_by(kafka, "SECURE")
    assert "set tls, or user and password_env, of [cluster]" in said_by(kafka, "LOGIN")
    tls: dict[str, Any] = {"tls": True, "tls_ca": str(kafka.authority.path)}
    assert "or tls, if the brokers have none" in said_by(kafka, "PLAINTEXT", **tls)


@pytest.mark.stress
def test_boxes_on_kafka_lose_nothing_when_the_broker_is_restarted(
    require: Require, tmp_path: Path
) -> None:
    require(THERE, MISSING)
    kafka = Kafka(tmp_path)
    lines = ingest(tmp_path, f'"{kafka.url}"', network=96, more=BUS)
    served = gateway(tmp_path, f'"{kafka.url}"', more=BUS)
    with running(kafka, lines, served):
        wait_for(lambda: served.state("sim") == "live", seconds=40)
        told, watch = Told(served), Watch(served)
        wait_for(lambda: told.look() and len(told.numbers) > 40)
        begin = now_ns()
        kafka.kill()
        wait_for(lambda: watch.look() and told.look() and served.state("sim") == "stale")
        kafka.start()
        wait_for(lambda: watch.look() and told.look() and served.state("sim") == "live", seconds=40)
        before = served.count("sim", "images")
        os.kill(served.worker("sim"), signal.SIGKILL)
        wait_for(
            lambda: told.look() and watch.look() and served.count("sim", "images") >= before + 256
        )
        roles = {
            box["role"]: box["log"]
            for box in json.loads(status(lines, "--json", "--seconds", "2"))["sim"]["boxes"]
        }
        assert roles == {"relay": "keeps", "bridge": "reads"}
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served) and told.all_told(), seconds=40)
        assert told.holes() == {}
        assert served.count("sim", "lost_messages") == 0
        assert lines.relay("log_lost") == lines.relay("dropped") == 0
        wait_for(lambda: lines.relay("log_failing") == 0)
        cluster = ClusterConfig(name=cluster_name(), bus="kafka", servers=(kafka.url,))
        check_replay(cluster, begin, rows_of(lines.feed("sim")))
        check_served(kafka.url, begin, lines)
        check_late_box(lines, gateway(tmp_path, f'"{kafka.url}"', more=BUS))
