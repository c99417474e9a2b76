"""The boxes of a cluster, as they are heard on the bus: for `ticker cluster status`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ticker.clock import now_ns
from ticker.cluster.frame import FrameKind, batches_of, head_of, identity
from ticker.cluster.interest import shards_of
from ticker.cluster.log.engines import open_bus
from ticker.cluster.notice import Notice, notice_of
from ticker.cluster.subjects import Subjects, feed_in
from ticker.config import ClusterConfig
from ticker.errors import DecodeError, NoServerError

CONNECT = 3.0
"""s in which a server of the bus must answer."""


@dataclass
class Heard:
    """A relay or a bridge, with the frames that it is behind in each shard that it follows; empty
    for a relay."""

    notice: Notice
    behind: tuple[int, ...] = ()


@dataclass
class FeedHeard:
    """A feed of the cluster.

    Attributes:
        epochs: of the speakers that were heard; more than one while a box takes over.
        boxes: by name and role.
        bad: frames that are none, or of another version.
    """

    epochs: set[int] = field(default_factory=set)
    boxes: dict[tuple[str, str], Heard] = field(default_factory=dict)
    bad: int = 0
    _said: dict[int, list[int]] = field(default_factory=dict)

    def state(self, frame: bytes, epoch: int) -> None:
        self.epochs.add(epoch)
        self._said[epoch] = batches_of(frame)

    def note(self, notice: Notice) -> None:
        behind: tuple[int, ...] = ()
        said = self._said.get(notice.epoch)
        if notice.role == "bridge" and said is not None and len(said) == len(notice.batches):
            pairs = zip(said, notice.batches, strict=True)
            followed = shards_of(notice.followed)
            behind = tuple(
                max(there - here, 0) if followed is None or shard in followed else 0
                for shard, (there, here) in enumerate(pairs)
            )
        self.boxes[notice.box, notice.role] = Heard(notice, behind)


class Survey:
    """Listens to all feeds of a cluster."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config
        self.feeds: dict[str, FeedHeard] = {}
        self.bus = open_bus(config, "ticker cluster status", quiet=True)
        every = Subjects(config.name, "*", config.lane)
        self.bus.subscribe(every.state, self._heard)
        self.bus.subscribe(every.notices, self._heard)

    async def listen(self, seconds: float) -> dict[str, FeedHeard]:
        """What was heard in so many seconds, by feed.

        Raises:
            NoServerError: no server of the bus answers.
        """
        task = asyncio.ensure_future(self.bus.run())
        try:
            end = now_ns() + int(CONNECT * 1e9)
            while not self.bus.connected and now_ns() < end:
                await asyncio.sleep(0.01)
            if not self.bus.connected:
                servers = ", ".join(self.config.servers)
                raise NoServerError(
                    f"no server of the bus answers: {self.bus.said.last or servers}; start one, "
                    "or name it in cluster.servers"
                )
            await asyncio.sleep(seconds)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return self.feeds

    def _heard(self, subject: bytes, frame: bytes) -> None:
        name = feed_in(subject)
        feed = self.feeds.setdefault(name, FeedHeard())
        try:
            head = head_of(frame, identity(self.config.name, name))
            if head.kind == FrameKind.FRAME_STATE:
                feed.state(frame, head.epoch)
            elif head.kind == FrameKind.FRAME_NOTICE:
                feed.note(notice_of(frame))
        except DecodeError:
            feed.bad += 1
