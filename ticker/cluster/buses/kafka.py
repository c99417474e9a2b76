"""Kafka as the bus: one producer and one consumer, assigned to all partitions, without a group.

In: subscriptions and messages to publish. Out: calls of handlers, from the event loop. The key of a
message is its subject. Frames are in the topic `tk.NAME.frames`, a shard in one partition, so that
they stay in their order; what boxes say beside them is in `tk.NAME.control`.

Law: as in nats.py, a connection is believed only as long as its own pings come back. While they do
not, nothing is published. What was, is sent until MESSAGE_TIMEOUT; a frame that the broker has not
acknowledged by then is counted as failed.
Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import structlog
from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ticker.clock import steady_ns
from ticker.cluster.buses.kafka_options import (
    CONTROL_DAYS,
    consumer_options,
    control_topic,
    frames_topic,
    options_of,
    partition_of,
    producer_options,
)
from ticker.cluster.buses.nats import AnswerHandler, Handler, Message, Said, Subscription
from ticker.config import ClusterConfig

log = structlog.get_logger()

POLL = 0.004
"""s between two looks at what has come."""
PING = 100_000_000
"""ns between two pings."""
ANSWER = 2_000_000_000
"""ns without an answer to a ping, after which the broker counts as gone."""
PAUSE = 0.5
"""s between two tries to begin."""
OPEN = 5.0
"""s for a broker to answer at the beginning."""
AT_ONCE = 1000
MOST_QUEUED = 200_000
"""Messages that the broker has not taken yet; then nothing more is published."""
CONTROL = frozenset("hqbp")
"""The letters of subjects that are in the topic of control."""
FLUSH = 1.0
"""s for the last messages at the end."""


class KafkaBus:
    """A client of the brokers.

    Args:
        name: how brokers call this client.
        up, down: called when the brokers answer, and when they do no more.
        after: called after each batch of messages.
        quiet: nothing is logged; `said` has it.

    Attributes:
        connected: whether pings come back.
        pongs: those that did.
        delivered, failed: frames that brokers have acknowledged, and that they never took.
    """

    def __init__(
        self,
        config: ClusterConfig,
        name: str,
        *,
        up: Callable[[], None] = lambda: None,
        down: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
        quiet: bool = False,
    ) -> None:
        self.config = config
        self.options = options_of(config, name)
        self.up, self.down, self.after = up, down, after
        self.quiet = quiet
        self.said = Said()
        self.connected = False
        self.pongs = 0
        self.delivered = self.failed = 0
        self._frames, self._control = frames_topic(config.name), control_topic(config.name)
        self._ping = f"tk.{config.name}._.p".encode()
        self._token = secrets.token_bytes(8)
        self._subscriptions: dict[int, Subscription] = {}
        self._of_subject = lru_cache(maxsize=100_000)(self._find)
        self._producer: Producer | None = None
        self._answered = self._ping_due = 0
        self._again = False

    def subscribe(self, subject: str, handler: Handler) -> Subscription:
        """Call `handler` with each message from now on."""
        return self._subscribe(Subscription(subject.encode(), handler))

    def subscribe_to_answer(self, subject: str, handler: AnswerHandler) -> Subscription:
        """The same; nobody wants an answer by this bus."""
        return self._subscribe(Subscription(subject.encode(), None, handler))

    def _subscribe(self, made: Subscription) -> Subscription:
        self._subscriptions[made.sid] = made
        self._of_subject.cache_clear()
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.sid, None)
        self._of_subject.cache_clear()

    def publish(self, messages: Sequence[Message]) -> bool:
        """Send these; False: none of them, as no broker takes them now."""
        producer = self._producer
        if producer is None or not self.ready:
            return False
        for subject, payload, *_ in messages:
            try:
                self._produce(producer, subject, payload)
            except BufferError as error:  # of bytes; the number of messages was looked at
                self._reported(error, None)
        return True

    def _produce(self, producer: Producer, subject: bytes, payload: bytes) -> None:
        """Raises BufferError: there is no room for it."""
        letter = subject.split(b".", 4)[3]
        if letter.decode() in CONTROL:
            producer.produce(self._control, payload, subject, 0)
        else:
            partition = partition_of(subject, self.config.kafka.partitions)
            producer.produce(self._frames, payload, subject, partition, self._reported)

    @property
    def ready(self) -> bool:
        """Whether `publish` would take something now."""
        producer = self._producer
        return self.connected and producer is not None and len(producer) < MOST_QUEUED

    def reconnect(self) -> None:
        """Begin anew at the newest messages."""
        self._again = True

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                consumer = await asyncio.to_thread(self._open)
            except KafkaException as error:
                self._note(str(error.args[0].str() if error.args else error))
                await asyncio.sleep(PAUSE)
                continue
            try:
                await self._stay(consumer)
            finally:
                self._left()
                consumer.close()

    def _open(self) -> Consumer:
        """The consumer, at the newest messages. Raises KafkaException: no broker answers."""
        ensure_topics(self.config, self.options)
        if self._producer is None:
            self._producer = Producer(producer_options(self.config, self.options))
        consumer = Consumer(consumer_options(self.options))
        parts = self.config.kafka.partitions
        places = [TopicPartition(self._frames, at, OFFSET_END) for at in range(parts)]
        consumer.assign([*places, TopicPartition(self._control, 0, OFFSET_END)])
        return consumer

    async def _stay(self, consumer: Consumer) -> None:
        self._again, self._answered = False, 0
        producer = self._producer
        assert producer is not None
        while not self._again:
            found = consumer.consume(AT_ONCE, 0)
            for message in found:
                error = message.error()
                if error is not None:
                    self._note(error.str())
                else:
                    self._take(message.key() or b"", message.value() or b"")
            if found:
                self.after()
            now = steady_ns()
            if now >= self._ping_due and len(producer) < MOST_QUEUED:
                self._ping_due = now + PING
                producer.produce(self._control, self._token, self._ping, 0)
            producer.poll(0)
            if self.connected and now - self._answered > ANSWER:
                self._left()
            await asyncio.sleep(0 if len(found) == AT_ONCE else POLL)

    def _take(self, subject: bytes, payload: bytes) -> None:
        self.said.messages += 1
        if subject == self._ping:
            if payload == self._token:
                self._ponged()
            return
        for found in self._of_subject(subject):
            if found.handler is not None:
                found.handler(subject, payload)
            elif found.answering is not None:
                found.answering(subject, payload, b"")

    def _ponged(self) -> None:
        self._answered = steady_ns()
        self.pongs += 1
        if not self.connected:
            self.connected = True
            self.said.connects += 1
            if not self.quiet:
                log.info("connected to the bus", server=self.options["bootstrap.servers"])
            self.up()

    def _left(self) -> None:
        if self.connected:
            self.connected = False
            if not self.quiet:
                log.warning("lost the bus", reason=self.said.last or "its brokers do not answer")
            self.down()

    def _find(self, subject: bytes) -> list[Subscription]:
        words = subject.split(b".")
        return [each for each in self._subscriptions.values() if matches(each.subject, words)]

    def _reported(self, error: object, _: object) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
            self._note(str(error))

    def _note(self, reason: str) -> None:
        self.said.errors += 1
        if reason != self.said.last:
            self.said.last = reason
            if not self.quiet:
                log.warning("no bus", reason=reason)


def matches(pattern: bytes, words: list[bytes]) -> bool:
    """Whether a subject is one of those that a pattern with * means."""
    wanted = pattern.split(b".")
    return len(wanted) == len(words) and all(
        there in (b"*", word) for there, word in zip(wanted, words, strict=True)
    )


def ensure_topics(config: ClusterConfig, options: dict[str, str]) -> None:
    """Make the topics, if they are not there.

    Raises:
        KafkaException: no broker answers, or it refuses.
    """
    admin = AdminClient({**options})
    there = admin.list_topics(timeout=OPEN).topics
    missing = [topic for topic in topics_of(config) if topic.topic not in there]
    for made in admin.create_topics(missing, operation_timeout=OPEN).values() if missing else ():
        try:
            made.result(OPEN)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another box was faster
                raise


def topics_of(config: ClusterConfig) -> Iterator[NewTopic]:
    kafka, kept = config.kafka, config.kept
    days = kept.retention_days if kept is not None else CONTROL_DAYS
    limits = {"retention.ms": str(int(days * 86_400_000)), "max.message.bytes": "1100000"}
    if kept is not None:
        limits["retention.bytes"] = str(int(kept.max_gigabytes * 1e9 / kafka.partitions))
    replicas = kept.replicas if kept is not None else 1
    yield NewTopic(
        frames_topic(config.name), kafka.partitions, replication_factor=replicas, config=limits
    )
    yield NewTopic(
        control_topic(config.name), 1, replication_factor=replicas,
        config={"retention.ms": limits["retention.ms"], "retention.bytes": "1000000000"},
    )  # fmt: skip
