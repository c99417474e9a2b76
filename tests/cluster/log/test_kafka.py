"""Kafka as bus and log, on a real broker: prices, a restart of the broker, a kill, and a replay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.kafka_server import MISSING, THERE, Kafka
from tests.cluster.log.records import Told
from tests.cluster.log.replaying import check_replay
from tests.cluster.pair import SHARDS, Box, Frames, Pair
from tests.cluster.servers import cluster_name, gateway, ingest, running, wait_for
from tests.cluster.source import count, rows_of
from tests.cluster.test_boxes import status
from tests.cluster.watching import Watch, same_rows, stop_exchange
from ticker.clock import now_ns
from ticker.cluster.buses.kafka import KafkaBus
from ticker.cluster.frame import FrameKind
from ticker.cluster.log.kafka import KafkaReader
from ticker.cluster.subjects import Subjects, shard_in
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
    require: Require, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(THERE, MISSING)
    kafka = Kafka(tmp_path)
    with running(kafka):
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
