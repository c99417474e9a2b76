"""How a box speaks to Kafka: its login, its topics, and what a configuration may not say."""

from __future__ import annotations

import pytest
from msgspec import structs

pytest.importorskip("confluent_kafka")

from ticker.cluster.buses.kafka import matches
from ticker.cluster.buses.kafka_options import (
    consumer_options,
    options_of,
    producer_options,
)
from ticker.cluster.buses.kafka_topics import Places, topics_of
from ticker.config import ClusterConfig, KafkaConfig, LogConfig
from ticker.config.cluster import cluster_problems
from ticker.errors import ConfigError

SERVERS = ("kafka://10.0.0.1:9093", "kafka://10.0.0.2")
PLAIN = ClusterConfig(name="prod", bus="kafka", servers=SERVERS)


def test_a_box_without_a_login() -> None:
    options = options_of(PLAIN, "ticker relay a/b")
    assert options["bootstrap.servers"] == "10.0.0.1:9093,10.0.0.2:9092"
    assert options["security.protocol"] == "PLAINTEXT"
    assert producer_options(PLAIN, options)["acks"] == "all"
    assert producer_options(PLAIN, options)["enable.idempotence"] == "true"
    assert consumer_options(options)["enable.auto.commit"] == "false"


def test_a_login_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ClusterConfig(
        name="prod", bus="kafka", servers=SERVERS, user="box", password_env="SECRET", tls=True,
        tls_ca="/ca.pem", tls_certificate="/box.pem", tls_key="/box.key",
        kafka=KafkaConfig(options={"sasl.mechanism": "SCRAM-SHA-512"}),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="password_env: set SECRET"):
        options_of(config, "x")
    monkeypatch.setenv("SECRET", "word")
    options = options_of(config, "x")
    assert options["security.protocol"] == "SASL_SSL"
    assert options["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl.username"], options["sasl.password"]) == ("box", "word")
    assert options["ssl.ca.location"] == "/ca.pem"
    assert options["ssl.certificate.location"] == "/box.pem"
    assert options["ssl.key.location"] == "/box.key"


def test_all_frames_of_a_shard_are_in_one_partition() -> None:
    kinds = (b"tk.prod.sim.t.37", b"tk.prod.sim.i.37", b"tk.prod.sim.c.37")
    assert {Places(PLAIN).of(each) for each in kinds} == {("tk.prod.frames", 5)}


def test_a_pinned_symbol_has_a_partition_of_its_own() -> None:
    places = Places(structs.replace(PLAIN, pinned=("A", "BRK.B")))
    assert places.partitions == 18
    for subject in (b"tk.prod.sim.t.pin.BRK.B", b"tk.prod.sim.r.pin.BRK.B", b"tk.prod.sim.i.257"):
        assert places.of(subject) == ("tk.prod.frames", 17)
    assert places.partition(257) == 17
    assert places.partition(255) == 15


def test_only_partitions_that_are_subscribed_to_are_read() -> None:
    places = Places(structs.replace(PLAIN, pinned=("A",)))
    control, images = ("tk.prod.control", 0), ("tk.prod.images", 0)
    relay = (b"tk.prod.sim.h", b"tk.prod.sim.q", b"tk.prod.sim.b")
    assert places.read_for(relay) == {control}
    all_shards = {("tk.prod.frames", at) for at in range(17)}
    bridge = (b"tk.prod.sim.t.*", b"tk.prod.sim.t.pin.>", b"tk.prod.sim.i.*", *relay)
    assert places.read_for(bridge) == {control, *all_shards}
    watching = (b"tk.prod.sim.t.3", b"tk.prod.sim.t.19", b"tk.prod.sim.t.pin.A", b"tk.prod.sim.i.*")
    followed = {("tk.prod.frames", 3), ("tk.prod.frames", 16)}
    assert places.read_for((*watching, b"tk.prod.sim.u.*")) == {control, images, *followed}


def test_topics_keep_what_the_log_is_to_keep() -> None:
    config = ClusterConfig(
        name="prod", bus="kafka", servers=SERVERS,
        log=LogConfig(retention_days=2, max_gigabytes=32, replicas=3),
    )  # fmt: skip
    frames, control, images = topics_of(config)
    assert (frames.topic, frames.num_partitions) == ("tk.prod.frames", 16)
    limits = dict(frames.config or {})
    assert limits["retention.ms"] == str(2 * 86_400_000)
    assert limits["retention.bytes"] == "2000000000"
    assert (control.num_partitions, control.replication_factor) == (1, 3)
    assert dict(images.config or {})["retention.ms"] == "600000"
    with_prices = structs.replace(config, kafka=KafkaConfig(prices="json", topic="p"))
    assert [each.topic for each in topics_of(with_prices)][3:] == ["p"]


@pytest.mark.parametrize(
    ("pattern", "subject", "meant"),
    [
        (b"tk.a.sim.t.*", b"tk.a.sim.t.7", True),
        (b"tk.a.*.h", b"tk.a.sim.h", True),
        (b"tk.a.sim.t.*", b"tk.a.sim.i.7", False),
        (b"tk.a.sim.h", b"tk.a.sim.h.7", False),
        (b"tk.a.sim.t.*", b"tk.a.sim.t", False),
        (b"tk.a.sim.t.pin.>", b"tk.a.sim.t.pin.BRK.B", True),
        (b"tk.a.sim.t.pin.>", b"tk.a.sim.t.pin", False),
    ],
)
def test_a_pattern_means_subjects(pattern: bytes, subject: bytes, meant: bool) -> None:
    assert matches(pattern, subject.split(b".")) is meant


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ClusterConfig(name="a", bus="kafka", servers=("nats://a:1",)), "no address of a Kafka"),
        (ClusterConfig(name="a", servers=("kafka://a:1",)), "no address of a NATS"),
        (
            ClusterConfig(
                name="a", bus="kafka", servers=SERVERS,
                kafka=KafkaConfig(options={"sasl.password": "x"}),
            ),
            "is a secret",
        ),
        (ClusterConfig(name="a", bus="kafka", servers=SERVERS, token_env="T"), "only for NATS"),
        (
            ClusterConfig(name="a", servers=("nats://a:1",), kafka=KafkaConfig(prices="json")),
            'prices: only with bus = "kafka"',
        ),
        (
            ClusterConfig(
                name="a", bus="kafka", servers=SERVERS,
                kafka=KafkaConfig(prices="json", topic="tk.a.frames"),
            ),
            "a name of the boxes' own topics",
        ),
        (
            ClusterConfig(
                name="a", bus="kafka", servers=SERVERS, log=LogConfig(engine="jetstream")
            ),
            'whose log is "kafka"',
        ),
        (
            ClusterConfig(name="a", servers=("nats://a:1",), log=LogConfig(replicas=2)),
            "an even number",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(config: ClusterConfig, said: str) -> None:
    assert any(said in problem for problem in cluster_problems(config, ()))


def test_what_is_right_has_no_problem() -> None:
    assert list(cluster_problems(PLAIN, ())) == []
    watching = structs.replace(
        PLAIN, interest="watched", pinned=("A",), kafka=KafkaConfig(prices="frame")
    )
    assert list(cluster_problems(watching, (0,))) == []
