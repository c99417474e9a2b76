"""The log in Kafka: the topic of frames, which boxes write anyhow, and how it is read again."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as Came
from confluent_kafka.admin import AdminClient

from ticker.cluster.buses.kafka import KafkaBus
from ticker.cluster.buses.kafka_options import consumer_options, options_of
from ticker.cluster.buses.kafka_topics import Places, control_topic, frames_topic
from ticker.cluster.buses.nats import Message
from ticker.cluster.frame import batches_of, head_of, identity, published_at
from ticker.cluster.log.checkpoints import Checkpoints
from ticker.cluster.notice import notice_of
from ticker.cluster.subjects import feed_in
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import DecodeError

log = structlog.get_logger()

NAME = "ticker log"
AT_ONCE = 2000
ANSWER = 10.0
"""s for a broker to find a time in its log."""
MOST_WAITING = 20_000
"""Frames that came and were not taken; then no more are taken from the client, unless the next one
in order is of a partition of which nothing has come."""
PATIENCE = 2_000_000_000
"""ns in which frames must be acknowledged."""
AGAIN = 0.5
LAST = 2000
"""Messages of the control topic among which each relay has said something."""


class KafkaCount:
    """What became of the frames of one feed."""

    def __init__(self) -> None:
        self.sent = self.stored = self.lost = 0


class KafkaWriting:
    """The log of a feed, as its relay sees it: brokers acknowledge each frame.

    Attributes:
        count: what was sent, stored and lost; the last two of all feeds of the connection.
        fault: why the log takes nothing; empty: it takes all.
    """

    def __init__(self, bus: KafkaBus, cluster: ClusterConfig, config: LogConfig, feed: str) -> None:
        self.bus, self.feed = bus, feed
        self.count = KafkaCount()
        self.fault = "no answer yet"
        self.checkpoints = Checkpoints(
            cluster.shards + len(cluster.pinned), config.checkpoint_interval
        ).due
        self._progress = 0

    def listen(self) -> None:
        """The bus is there anew."""

    def turn(self, steady: int) -> None:
        """See what brokers have acknowledged."""
        count, bus = self.count, self.bus
        if bus.delivered != count.stored:
            count.stored, self._progress = bus.delivered, steady
            if self.fault:
                self.fault = ""
                log.info("the log keeps a feed", feed=self.feed)
        elif (
            count.sent and steady - self._progress > PATIENCE and not (bus.connected or self.fault)
        ):
            self.fault = bus.said.last or "brokers do not answer"
            log.error("the log keeps nothing", feed=self.feed, reason=self.fault)
        if bus.failed != count.lost:
            lost, count.lost = bus.failed - count.lost, bus.failed
            log.error(
                "the log has a hole: brokers did not take all frames in time",
                feed=self.feed, frames=lost, lost=count.lost, reason=bus.said.last,
            )  # fmt: skip

    def publish(self, messages: list[Message], _: int) -> bool:
        """Publish frames; False: none of them."""
        if not self.bus.publish(messages):
            return False
        self.count.sent += len(messages)
        return True


class KafkaReader:
    """Frames of the topic from a time on (`since`, ns).

    Args:
        prefixes: the beginnings of the subjects that are wanted.
        shards: those that are wanted; None: all.
        in_order: by the time of publication over all partitions; else each partition for itself.

    Attributes:
        fault: why nothing comes; empty: it comes.
    """

    def __init__(
        self,
        cluster: ClusterConfig,
        prefixes: tuple[bytes, ...],
        shards: Iterable[int] | None,
        since: int,
        *,
        in_order: bool,
    ) -> None:
        self.cluster, self.prefixes, self.since = cluster, prefixes, since
        places = Places(cluster)
        wanted = range(places.partitions) if shards is None else map(places.partition, shards)
        self.partitions = sorted(set(wanted))
        self.in_order = in_order
        self.fault = ""
        self._topic = frames_topic(cluster.name)
        self._ends: dict[int, int] = {}
        self._open = False
        self._waiting: dict[int, deque[tuple[bytes, bytes]]] = {
            part: deque() for part in self.partitions
        }
        self._heads: list[tuple[int, int]] = []
        self._count = 0
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                consumer = await asyncio.to_thread(self._begin)
                break
            except KafkaException as error:
                self.fault = error.args[0].str() if error.args else str(error)
                await asyncio.sleep(AGAIN)
        self.fault, self._open = "", True
        self._came.set()
        try:
            while True:
                # what waits for another partition may be more
                wanted = self._count < MOST_WAITING or not self._may_go_on()
                found = consumer.consume(AT_ONCE, 0) if wanted else []
                for message in found:
                    self._take(message)
                if found:
                    self._came.set()
                await asyncio.sleep(0 if found else 0.005)
        finally:
            consumer.close()

    def _begin(self) -> Consumer:
        """Raises KafkaException: no broker answers."""
        more = {"queued.min.messages": "200000", "queued.max.messages.kbytes": "131072"}
        consumer = Consumer(consumer_options(options_of(self.cluster, NAME)) | more)
        asked = [TopicPartition(self._topic, at, self.since // 1_000_000) for at in self.partitions]
        places = consumer.offsets_for_times(asked, ANSWER)
        ends = {}
        for place in places:
            end = consumer.get_watermark_offsets(place, ANSWER)[1]
            if 0 <= place.offset < end:
                ends[place.partition] = end
        self._ends = ends
        consumer.assign([
            TopicPartition(self._topic, place.partition, place.offset)
            for place in places
        ])  # fmt: skip
        return consumer

    def _take(self, message: Came) -> None:
        error = message.error()
        if error is not None:
            self.fault = error.str()
            return
        partition, offset = message.partition() or 0, message.offset() or 0
        subject, frame = message.key() or b"", message.value() or b""
        if offset + 1 >= self._ends.get(partition, 0):
            self._ends.pop(partition, None)
        if not subject.startswith(self.prefixes):
            return
        waiting = self._waiting[partition]
        if not waiting:
            heapq.heappush(self._heads, (published_at(frame), partition))
        waiting.append((subject, frame))
        self._count += 1

    def take(self, most: int) -> list[tuple[bytes, bytes]]:
        """The next (subject, frame)s that came."""
        found: list[tuple[bytes, bytes]] = []
        heads, waiting = self._heads, self._waiting
        while heads and len(found) < most and self._may_go_on():
            partition = heads[0][1]
            found.append(waiting[partition].popleft())
            if waiting[partition]:
                time = published_at(waiting[partition][0][1])
                heapq.heapreplace(heads, (time, partition))
            else:
                heapq.heappop(heads)
        self._count -= len(found)
        return found

    def _may_go_on(self) -> bool:
        """Whether no older frame can come of another partition."""
        if not self.in_order or len(self._heads) == len(self._waiting):
            return True
        return all(self._waiting[part] for part in self._ends)

    @property
    def at_end(self) -> bool:
        """Whether all that was in the log at the beginning was taken."""
        return self._open and not self._ends and not self._count

    async def wait(self, seconds: float) -> None:
        """Until something comes, or so long."""
        self._came.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            return


def partitions_in(cluster: ClusterConfig) -> int:
    """The partitions of a cluster's topic of frames; 0: there is no such topic.

    Raises:
        KafkaException: no broker answers.
    """
    topics = AdminClient({**options_of(cluster, NAME)}).list_topics(timeout=ANSWER).topics
    topic = topics.get(frames_topic(cluster.name))
    return len(topic.partitions) if topic is not None else 0


def feeds_in(cluster: ClusterConfig) -> dict[str, tuple[int, tuple[str, ...]]]:
    """The feeds of a cluster, with their numbers of hashed shards and their pinned symbols, from
    what was said last.

    Raises:
        KafkaException: no broker answers.
    """
    consumer = Consumer(consumer_options(options_of(cluster, NAME)))
    shards: dict[str, int] = {}
    pinned: dict[str, tuple[str, ...]] = {}
    try:
        place = TopicPartition(control_topic(cluster.name), 0)
        first, end = consumer.get_watermark_offsets(place, ANSWER)
        place.offset = max(first, end - LAST)
        consumer.assign([place])
        while place.offset < end:
            messages = consumer.consume(LAST, 1.0)
            if not messages:
                break
            for message in messages:
                place.offset = (message.offset() or 0) + 1
                subject, frame = message.key() or b"", message.value() or b""
                with suppress(DecodeError):
                    _learn(cluster.name, subject, frame, shards, pinned)
    finally:
        consumer.close()
    return {
        feed: (count - len(pinned.get(feed, ())), pinned.get(feed, ()))
        for feed, count in shards.items()
    }


def _learn(
    cluster: str,
    subject: bytes,
    frame: bytes,
    shards: dict[str, int],
    pinned: dict[str, tuple[str, ...]],
) -> None:
    """What a message of the control topic says of a feed. Raises DecodeError: it is no frame."""
    words = subject.split(b".")
    if len(words) != 4 or words[3] not in (b"h", b"b"):
        return
    feed = feed_in(subject)
    head_of(frame, identity(cluster, feed))
    if words[3] == b"h":
        shards[feed] = len(batches_of(frame))
        return
    notice = notice_of(frame)
    if notice.role == "relay":
        pinned[feed] = notice.pinned
