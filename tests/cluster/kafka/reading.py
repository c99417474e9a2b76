"""What other programs do with Kafka: a plain consumer, and how Kafka's own clients spread keys."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, Message

from tests.cluster.kafka.server import Kafka


class Reader:
    """A consumer with a group, of all that a topic ever had."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.found: list[Message] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.url.removeprefix("kafka://"),
                "group.id": f"readers of {topic}",
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": "100",
                "fetch.wait.max.ms": "10",
            }
        )
        self._consumer.subscribe([topic])

    def look(self) -> list[Message]:
        """All that has come so far."""
        for message in self._consumer.consume(1000, 0.01):
            if message.error() is None:
                self.found.append(message)
        return self.found

    def by_key(self, value: Callable[[bytes], int]) -> dict[str, list[int]]:
        """A figure of the values of each key, in their order."""
        found: dict[str, list[int]] = {}
        for message in self.found:
            key, content = message.key(), message.value()
            assert key is not None and content is not None
            found.setdefault(key.decode(), []).append(value(content))
        return found

    def close(self) -> None:
        self._consumer.close()


def partition_by_key(key: bytes, partitions: int) -> int:
    """Murmur2 as in org.apache.kafka.common.utils.Utils, which the Java producer spreads by."""
    mask, mixing = 0xFFFFFFFF, 0x5BD1E995
    hashed = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * mixing & mask
        word = (word ^ word >> 24) * mixing & mask
        hashed = (hashed * mixing & mask) ^ word
    if rest := key[whole:]:
        hashed = ((hashed ^ int.from_bytes(rest, "little")) * mixing) & mask
    hashed = (hashed ^ hashed >> 13) * mixing & mask
    return ((hashed ^ hashed >> 15) & 0x7FFFFFFF) % partitions
