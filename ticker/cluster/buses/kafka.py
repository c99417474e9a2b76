"""Kafka as the bus: one producer and one consumer, assigned to partitions, without a group.

In: subscriptions and messages to publish. Out: calls of handlers, from the event loop. The key of a
message is its subject. The consumer reads the partitions that subscriptions need (kafka_topics.py),
and begins each at its newest message.

Law: as in nats.py, a connection is believed only as long as its own pings come back. While they do
not, nothing is published. What was, is sent until MESSAGE_TIMEOUT; a frame that the broker has not
acknowledged by then is counted as failed.
Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
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

from ticker.clock import steady_ns
from ticker.cluster.buses.kafka_options import consumer_options, options_of, producer_options
from ticker.cluster.buses.kafka_topics import Place, Places, ensure_topics
from ticker.cluster.buses.nats import (
    AnswerHandler,
    Handler,
    ManyHandler,
    Message,
    Said,
    Subscription,
)
from ticker.config import ClusterConfig

log = structlog.get_logger()

POLL = 0.004
"""s between two looks at what has come."""
PING = 100_000_000
"""ns between two pings."""
ANSWER = 2_000_000_000
"""ns without an answer to a ping, after which the broker counts as gone."""
OPEN = 5_000_000_000
"""ns for a broker to answer at the beginning."""
PAUSE = 0.5
"""s between two tries to begin."""
AT_ONCE = 1000
MOST_QUEUED = 200_000
"""Messages that the broker has not taken yet; then nothing more is published."""
ADVICE = {
    KafkaError._AUTHENTICATION: (
        "correct user and password_env of [cluster], or sasl.mechanism in [cluster.kafka] options"
    ),
    KafkaError._SSL: (
        "correct tls_ca, tls_certificate and tls_key of [cluster], or tls, if the brokers have none"
    ),
}
"""What to do about a refusal, by its code."""
SILENCE = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT)
NO_ANSWER = (
    "start them, or set tls, or user and password_env, of [cluster] as their listener asks for it"
)


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
        told, untold: the same of messages for other programs.
        reading: the partitions that are read now.
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
        self.told = self.untold = 0
        self.places = Places(config)
        self._place_of = lru_cache(maxsize=20_000)(self.places.of)
        self._ping = f"tk.{config.name}._.p".encode()
        self._token = secrets.token_bytes(8)
        self._subscriptions: dict[int, Subscription] = {}
        self._of_subject = lru_cache(maxsize=100_000)(self._find)
        self.reading: set[Place] = set()
        self._changed = False
        self._refusal = ""
        self._producer: Producer | None = None
        self._answered = self._ping_due = 0
        self._again = False

    def subscribe(
        self, subject: str, handler: Handler, many: ManyHandler | None = None
    ) -> Subscription:
        """Call `handler` with each message from now on; by this bus they come one by one."""
        return self._subscribe(Subscription(subject.encode(), handler, many=many))

    def subscribe_to_answer(self, subject: str, handler: AnswerHandler) -> Subscription:
        """The same; nobody wants an answer by this bus."""
        return self._subscribe(Subscription(subject.encode(), None, handler))

    def _subscribe(self, made: Subscription) -> Subscription:
        self._subscriptions[made.sid] = made
        self._of_subject.cache_clear()
        self._changed = True
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.sid, None)
        self._of_subject.cache_clear()
        self._changed = True

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
        topic, partition = self._place_of(subject)
        if topic == self.places.frames:
            producer.produce(topic, payload, subject, partition, self._reported)
        else:
            producer.produce(topic, payload, subject, partition)

    def tell(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send these (key, value)s to other programs, in the topic of prices."""
        producer, topic = self._producer, self.config.kafka.topic
        if producer is None:
            return
        for key, value in messages:
            try:
                producer.produce(topic, value, key, on_delivery=self._noted)
            except BufferError as error:
                self._noted(error, None)

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
                why = error.args[0] if error.args else None
                said = str(error) if why is None else why.str()
                if why is not None and why.code() in SILENCE:
                    said = f"{self.options['bootstrap.servers']} do not answer; {NO_ANSWER}"
                self._note(self._refusal or said)
                await asyncio.sleep(PAUSE)
                continue
            try:
                await self._stay(consumer)
            finally:
                self._left()
                consumer.close()

    def _open(self) -> Consumer:
        """The consumer, at the newest messages. Raises KafkaException: no broker answers."""
        if self._producer is None:
            options = producer_options(self.config, self.options)
            self._producer = Producer({**options, "error_cb": self._refused})
        self._await_answer(self._producer)
        ensure_topics(self.config, self.options)
        consumer = Consumer(consumer_options(self.options))
        self.reading = set()
        self._read(consumer)
        return consumer

    def _await_answer(self, producer: Producer) -> None:
        """Raises KafkaException: no broker answers, or it refuses us; `_refusal` then says why."""
        end, self._refusal = steady_ns() + OPEN, ""
        while True:
            try:
                producer.list_topics(timeout=0.2)
            except KafkaException:
                producer.poll(0)
                if self._refusal or steady_ns() > end:
                    raise
            else:
                return

    def _read(self, consumer: Consumer) -> None:
        """Read the partitions that the subscriptions need, and no others."""
        self._changed = False
        wanted = self.places.read_for([each.subject for each in self._subscriptions.values()])
        new, old = wanted - self.reading, self.reading - wanted
        self.reading = wanted
        if new:
            consumer.incremental_assign([
                TopicPartition(topic, partition, OFFSET_END) for topic, partition in sorted(new)
            ])  # fmt: skip
        if old:
            consumer.incremental_unassign([TopicPartition(*place) for place in sorted(old)])

    async def _stay(self, consumer: Consumer) -> None:
        self._again, self._answered = False, 0
        producer = self._producer
        assert producer is not None
        while not self._again:
            if self._changed:
                self._read(consumer)
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
                producer.produce(self.places.control, self._token, self._ping, 0)
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

    def _noted(self, error: object, _: object) -> None:
        """A message for other programs was taken, or never."""
        if error is None:
            self.told += 1
        else:
            self.untold += 1
            self._note(str(error))

    def _refused(self, error: KafkaError) -> None:
        """The library's word on a connection, which says more than that no broker answers."""
        code = error.code()
        if code == KafkaError._TRANSPORT and "SSL" in error.str():  # the other side ended it
            code = KafkaError._SSL
        advice = ADVICE.get(code)
        if advice is not None:
            self._refusal = f"{error.str()}; {advice}"

    def _note(self, reason: str) -> None:
        self.said.errors += 1
        if reason != self.said.last:
            self.said.last = reason
            if not self.quiet:
                log.warning("no bus", reason=reason)


def matches(pattern: bytes, words: list[bytes]) -> bool:
    """Whether a subject is one of those that a pattern means: * is one word, > all that follow."""
    wanted = pattern.split(b".")
    if wanted[-1] == b">" and len(words) >= len(wanted):
        wanted, words = wanted[:-1], words[: len(wanted) - 1]
    return len(wanted) == len(words) and all(
        there in (b"*", word) for there, word in zip(wanted, words, strict=True)
    )
