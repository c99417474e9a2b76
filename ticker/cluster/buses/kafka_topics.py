"""The topics of a cluster in Kafka: which subjects are in which of them, and in which partition.

tk.NAME.frames    deltas and images; a shard in one partition, so that they stay in their order;
                  a pinned symbol has a partition of its own, behind the others
tk.NAME.control   what boxes say beside them
tk.NAME.images    images for boxes that do not follow their shards; gone after minutes
prices            prices for other programs, where they are wanted: the key is the symbol
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from ticker.cluster.subjects import LANES
from ticker.config import ClusterConfig

OPEN = 5.0
"""s for a broker to answer."""
DAY = 86_400_000
"""ms"""
CONTROL_DAYS = 1.0
"""Days that topics keep messages where there is no log."""
IMAGES_KEPT = {"retention.ms": "600000", "retention.bytes": "1000000000", "segment.ms": "600000"}
"""Readers take the newest alone."""
LARGEST = {"max.message.bytes": "1100000"}
CONTROL = frozenset("hqbp")
"""The letters of subjects that are in the topic of control."""
REFRESHES = "u"
DELTAS = frozenset(LANES.values())

Place = tuple[str, int]
"""A topic and a partition of it."""


def frames_topic(cluster: str) -> str:
    return f"tk.{cluster}.frames"


def control_topic(cluster: str) -> str:
    return f"tk.{cluster}.control"


class Places:
    """Of one cluster.

    Attributes:
        partitions: of the topic of frames.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self.frames, self.control = frames_topic(config.name), control_topic(config.name)
        self.images = f"tk.{config.name}.images"
        self.partitions = config.kafka.partitions + len(config.pinned)
        self._hashed = config.kafka.partitions
        self._shards = config.shards
        self._pinned = {f"pin.{symbol}": at for at, symbol in enumerate(config.pinned)}

    def partition(self, shard: int) -> int:
        """That of a shard's frames, whatever their kind."""
        pinned = shard - self._shards
        return self._hashed + pinned if pinned >= 0 else shard % self._hashed

    def of(self, subject: bytes) -> Place:
        """Where a message with this subject goes."""
        letter, rest = parts_of(subject)
        if letter in CONTROL:
            return self.control, 0
        if letter == REFRESHES:
            return self.images, 0
        if rest in self._pinned:
            return self.frames, self._hashed + self._pinned[rest]
        return self.frames, self.partition(int(rest)) if rest.isdigit() else 0

    def read_for(self, patterns: Iterable[bytes]) -> set[Place]:
        """The partitions that subscriptions need. Images of a shard come with its deltas."""
        found: set[Place] = {(self.control, 0)}
        for pattern in patterns:
            letter, rest = parts_of(pattern)
            if letter == REFRESHES:
                found.add((self.images, 0))
            elif letter in DELTAS and rest == "*":
                found |= {(self.frames, at) for at in range(self._hashed)}
            elif letter in DELTAS and rest == "pin.>":
                found |= {(self.frames, at) for at in range(self._hashed, self.partitions)}
            elif letter in DELTAS:
                found.add(self.of(pattern))
        return found


def parts_of(subject: bytes) -> tuple[str, str]:
    """The letter of a subject, and what is behind it."""
    words = subject.decode().split(".", 4)
    return words[3], words[4] if len(words) > 4 else ""


def ensure_topics(config: ClusterConfig, options: dict[str, str]) -> None:
    """Make the topics, if they are not there, and the partitions that they lack.

    Raises:
        KafkaException: no broker answers, or it refuses.
    """
    admin = AdminClient({**options})
    there = admin.list_topics(timeout=OPEN).topics
    wanted = list(topics_of(config))
    missing = [topic for topic in wanted if topic.topic not in there]
    for made in admin.create_topics(missing, operation_timeout=OPEN).values() if missing else ():
        _await(made, KafkaError.TOPIC_ALREADY_EXISTS)  # another box was faster
    frames = wanted[0]
    found = there.get(frames.topic)
    if found is not None and len(found.partitions) < frames.num_partitions:  # pinned since then
        more = [NewPartitions(frames.topic, frames.num_partitions)]
        for made in admin.create_partitions(more, operation_timeout=OPEN).values():
            _await(made, KafkaError.INVALID_PARTITIONS)


def _await(made: object, harmless: int) -> None:
    """Raises KafkaException: refused, for another reason than the harmless one."""
    try:
        made.result(OPEN)  # type: ignore[attr-defined]  # a future, of a library without types
    except KafkaException as error:
        if error.args[0].code() != harmless:
            raise


def topics_of(config: ClusterConfig) -> Iterator[NewTopic]:
    """The topics as they are made."""
    places, kafka, kept = Places(config), config.kafka, config.kept
    days = kept.retention_days if kept is not None else CONTROL_DAYS
    retention = {"retention.ms": str(int(days * DAY))}
    limits = dict(retention)
    if kept is not None:
        limits["retention.bytes"] = str(int(kept.max_gigabytes * 1e9 / kafka.partitions))
    replicas = kept.replicas if kept is not None else 1
    made: list[tuple[str, int, dict[str, str]]] = [
        (places.frames, places.partitions, limits | LARGEST),
        (places.control, 1, retention | {"retention.bytes": "1000000000"}),
        (places.images, 1, IMAGES_KEPT | LARGEST),
    ]
    if kafka.prices != "none":
        made.append((kafka.topic, kafka.partitions, limits | LARGEST))
    for name, partitions, settings in made:
        yield NewTopic(name, partitions, replication_factor=replicas, config=settings)
