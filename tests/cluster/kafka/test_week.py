"""A topic with a week's log, read from a time in its middle on."""

from __future__ import annotations

import asyncio
import time

import pytest
from confluent_kafka import Producer

from tests.cluster.kafka.server import Kafka
from tests.cluster.kafka.week import IMAGES, SECOND, Week, price_of
from tests.cluster.source import rows_of
from ticker.clock import now_ns
from ticker.cluster.buses.kafka_options import options_of, producer_options
from ticker.cluster.buses.kafka_topics import Places, ensure_topics
from ticker.cluster.log.player import LogPlay, LogPlayer
from ticker.cluster.log.sources import Logged
from ticker.config import ClusterConfig, KafkaConfig, LogConfig
from ticker.shm.header import Mapping
from ticker.shm.layout import RecordKind
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed

SHARDS = 4
RATE = 2_000_000
"""Trades a second, read again."""
TRIES = 3
"""Readings of which the fastest counts, as the machine has other work."""
ROOM = 1 << 21
"""Trades of half a week, and some."""


@pytest.mark.stress
def test_half_a_week_is_read_from_its_middle(kafka: Kafka) -> None:
    """Every price is that of its time, no trade is missing, and the rows are those of the end."""
    config = ClusterConfig(
        name="week", bus="kafka", servers=(kafka.url,), shards=SHARDS,
        kafka=KafkaConfig(partitions=2, compression="zstd"), log=LogConfig(max_gigabytes=1.0),
    )  # fmt: skip
    week = Week("week", "sim", SHARDS, now_ns())
    plain = write(config, week)
    kept = sum(
        path.stat().st_size for path in (kafka.folder / "logs").glob("tk.week.frames-*/*.log")
    )
    assert kept < plain / 2
    middle = (week.begin + week.end) // 2
    rates: list[float] = []
    while len(rates) < TRIES and max(rates, default=0.0) < RATE:
        segment = private_feed(Geometry(rows=64, rings=1, ring_capacity=ROOM), 1, 1)
        player = LogPlayer(LogPlay(logged(config), middle, now_ns() + SECOND), segment, None)
        reader = RingReader(segment, 0)
        began = time.monotonic()
        asyncio.run(player.run())
        took = time.monotonic() - began
        assert player.lost == 0
        rates.append(check(segment, reader, week, middle) / took)
    print(f"{plain >> 20} MB in {kept >> 20} MB, {max(rates):.0f} trades/s")
    assert max(rates) >= RATE


def logged(config: ClusterConfig) -> Logged:
    return Logged(config, "sim", IMAGES / SECOND)


def write(config: ClusterConfig, week: Week) -> int:
    """The whole week into the topic; how many bytes it has."""
    options = options_of(config, "week")
    ensure_topics(config, options)
    producer, places, written = Producer(producer_options(config, options)), Places(config), 0
    failed: list[object] = []

    def reported(error: object, _: object) -> None:
        if error is not None:
            failed.append(error)

    for published, subject, frame in week.frames():
        topic, partition = places.of(subject)
        producer.produce(
            topic, frame, subject, partition, reported, timestamp=published // 1_000_000
        )
        producer.poll(0)
        written += len(frame)
    producer.flush()
    assert not failed, failed[0]
    return written


def check(segment: Mapping, reader: RingReader, week: Week, since: int) -> int:
    """Rows and trades are right; how many trades there are."""
    found = rows_of(segment)
    assert len(found) == len(week.symbols)
    for symbol in week.symbols:
        assert found[symbol.name, "XNAS"][-1] == symbol.values
    newest: dict[int, int] = {}
    total = 0
    while records := reader.take(100_000):
        for record in records:
            if record["kind"] != RecordKind.RECORD_TRADE:
                continue
            row, when = record["row"], record["exchange_time"]
            assert record["price"] == price_of(when)
            assert record["seq"] == newest.get(row, record["seq"] - 1) + 1
            if row not in newest:
                assert when <= since
            newest[row] = record["seq"]
            total += 1
    assert reader.laps == 0
    assert sorted(newest.values()) == sorted(symbol.values["seq"] for symbol in week.symbols)
    return total
