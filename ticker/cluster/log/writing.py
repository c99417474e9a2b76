"""The log of a feed, as its relay sees it: the stream is there, and takes what is published.

Frames go on the bus once, and JetStream takes them from there. One in each ACKED has a subject for
its acknowledgement; the numbers in these tell of the frames between (acks.py).
"""

from __future__ import annotations

import asyncio

import structlog

from ticker.cluster.buses.nats import Message, NatsBus
from ticker.cluster.log.acks import AckCount
from ticker.cluster.log.checkpoints import Checkpoints
from ticker.cluster.log.requests import ensure_stream
from ticker.cluster.log.streams import stored_of
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import DecodeError

log = structlog.get_logger()

ACKED = 100_000_000
"""ns between two frames that are to be acknowledged."""
PATIENCE = 2_000_000_000
"""ns without an acknowledgement, after which the log takes nothing."""
AGAIN = 5_000_000_000
"""ns between two looks at a stream that refuses."""


class LogWriting:
    """Of one feed.

    Attributes:
        count: what was sent, stored and lost.
        fault: why the log takes nothing; empty: it takes all.
    """

    def __init__(
        self, bus: NatsBus, cluster: ClusterConfig, config: LogConfig, feed: str, life: int
    ) -> None:
        self.bus, self.cluster, self.config, self.feed = bus, cluster, config, feed
        subjects = Subjects(cluster.name, feed, cluster.lane, cluster.shards, cluster.pinned)
        self.count = AckCount()
        self.fault = "no answer yet"
        self._base = subjects.acknowledgement(life)
        self.checkpoints = Checkpoints(
            cluster.shards + len(cluster.pinned), config.checkpoint_interval
        ).due
        self._marked = 0
        self._there = False
        self._unanswered = 0
        self._look_due = 0
        self._task: asyncio.Task[None] | None = None
        bus.subscribe(f"{self._base}.*", self._acked)

    def listen(self) -> None:
        """The bus is there anew."""
        self._look_due = self._unanswered = 0

    def turn(self, steady: int) -> None:
        """See to it that the stream is there, and that it answers."""
        if self._unanswered and steady - self._unanswered > PATIENCE:
            self._unanswered = 0
            self._fail("the log acknowledges no frame")
        idle = self._task is None or self._task.done()
        if idle and self.fault and steady >= self._look_due and self.bus.connected:
            self._look_due = steady + AGAIN
            self._task = asyncio.get_running_loop().create_task(self._ensure())

    def publish(self, messages: list[Message], steady: int) -> bool:
        """Publish frames that the log keeps; False: none of them."""
        count = self.count
        if messages and self.asks(steady):
            self._marked = steady
            subject, frame = messages[-1][:2]
            number = count.sent + len(messages)
            messages = [*messages[:-1], (subject, frame, f"{self._base}.{number}".encode())]
            self._unanswered = self._unanswered or steady
        if not self.bus.publish(messages):
            return False
        count.sent += len(messages)
        return True

    def asks(self, steady: int) -> bool:
        """Whether one of the next frames is to be acknowledged."""
        return self._there and steady - self._marked >= ACKED

    def sent(self, frames: int) -> None:
        """So many were published without asking for an acknowledgement."""
        self.count.sent += frames

    async def _ensure(self) -> None:
        try:
            done = await ensure_stream(self.bus, self.cluster, self.config, self.feed)
        except DecodeError as error:
            self._fail(str(error))
            return
        self._there = True
        if done:
            log.info(f"log of a feed {done}", feed=self.feed)

    def _acked(self, subject: bytes, payload: bytes) -> None:
        self._unanswered = 0
        number, reason = stored_of(payload)
        if reason:
            self._fail(reason)
            return
        sent = subject.rpartition(b".")[2]
        lost = self.count.acked(int(sent), number) if sent.isdigit() else 0
        if lost:
            log.error(
                "the log has a hole: it did not take all frames; are its disk and its server "
                "fast enough?",
                feed=self.feed, frames=lost, lost=self.count.lost,
            )  # fmt: skip
        if self.fault:
            self.fault = ""
            log.info("the log keeps a feed", feed=self.feed, frames=number)

    def _fail(self, reason: str) -> None:
        if reason != self.fault:
            self.fault = reason
            log.error("the log keeps nothing", feed=self.feed, reason=reason)
