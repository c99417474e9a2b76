"""The bridge: the process of a feed whose lines another box has.

In: frames from the bus. Out: the feed's segment, for gateways as they are. It stands in the slot of
a feed worker, and there is one for each such feed.

Law: life is frames, not connections. Without one for UNSURE the feed is recovering, which is shown
live; without one for SILENT it is stale.

`run` is called by the supervisor in a forked child and returns when the bridge was told to stop.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import structlog
import uvloop

from ticker.clock import now_ns, steady_ns
from ticker.cluster.buses.nats import Subscription
from ticker.cluster.claim import MS
from ticker.cluster.context import BridgeContext
from ticker.cluster.frame import (
    ASKS_REFRESH,
    ASKS_STATE,
    FrameKind,
    Head,
    asking,
    body_of,
    head_of,
    identity,
    make_frame,
)
from ticker.cluster.incoming import Incoming, Verdict
from ticker.cluster.interest import Interest
from ticker.cluster.log.engines import open_bus
from ticker.cluster.log.filling import LogFilling
from ticker.cluster.notice import Notice, notice_frame
from ticker.cluster.subjects import Subjects
from ticker.cluster.workers.box import box_name
from ticker.cluster.workers.earlier import Earlier
from ticker.config import ClusterConfig
from ticker.errors import DecodeError
from ticker.shm import counters
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.layout import FEED_STATES, StaleReason
from ticker.shm.segment import attach
from ticker.shm.shards.watchers import WatchedShards

log = structlog.get_logger()

TURN = 0.02
"""s between two looks at what is missing."""
BEAT = 100 * MS
UNSURE = 400 * MS
SILENT = 800 * MS
"""ns without a frame of the speaker: its clients know within a second."""
LACKING = 2000 * MS
"""ns in which some shard gets nothing of what it lacks, as on a link that carries too little."""
ASK_FIRST, ASK_LAST = 40 * MS, 1000 * MS
"""ns between two questions for the same images: the first time, and at most."""
NOTICE = 1000 * MS
REFRESH = 600 * MS
"""ns that the image of a shard that nobody watches may be old, before another one is asked for: by
questions and answers it is a second old at most."""
REFRESH_AGAIN = 100 * MS
"""ns between two such questions: one that is lost is asked again."""
LATE = 1.0
"""s that the bus may be ahead of this process: then images are faster than what waits."""
ANY_RANK = 0xFF
"""With it an epoch is above all of its term."""
DUPLICATE, OTHER = int(Verdict.VERDICT_DUPLICATE), int(Verdict.VERDICT_OTHER)
DEAF = 5000 * MS
"""ns without a frame after which another server may have what this one does not give."""


def run(config: ClusterConfig, feed: str, context: BridgeContext) -> None:
    """Serve a feed until SIGTERM or SIGINT.

    Raises:
        SegmentError: the segment is not there or not the expected one.
    """
    uvloop.run(Bridge(config, feed, context).serve())


class Bridge:
    """One feed from the bus in its segment."""

    def __init__(self, config: ClusterConfig, feed: str, context: BridgeContext) -> None:
        boot = context.boot_id
        mapping = attach(context.segment, KIND_FEED, boot_id=boot, writable=True)
        doors = [(attach(name, KIND_GATEWAY, boot_id=boot), fd) for name, fd in context.gateways]
        self.feed = feed
        self.box = box_name(context.instance)
        self.boot = boot
        self.identity = identity(config.name, feed)
        self.heartbeat = Heartbeat(mapping)
        found = self.heartbeat.time_ns if self.heartbeat.epoch else 0
        self.epoch = self.heartbeat.take_over(os.getpid(), now_ns())
        self.state = counters.STARTING
        self.heartbeat.set_state(self.state)
        self.counters = Counters(mapping)
        ringer = DoorbellRinger(doors)
        self.incoming = Incoming(mapping, self.identity, config.shards, ringer, config.pinned)
        self.incoming.watch()
        self.subjects = Subjects(config.name, feed, config.lane, config.shards, config.pinned)
        self.bus = open_bus(
            config,
            f"ticker bridge {self.box}",
            up=self._came_back,
            after=self.incoming.ring,
            late=LATE,
        )
        self.followed = (
            Followed(self, config.shards + len(config.pinned), [door for door, _ in doors])
            if config.interest == "watched"
            else None
        )
        self.log: LogFilling | None = None
        self.earlier: Earlier | None = None
        if config.kept is not None and config.lane == "ticks":
            empty = not self.incoming.epoch
            self.log = LogFilling(self.bus, config, feed, self.incoming, found)
            if empty and self.followed is None and config.kept.catch_up_hours:
                self.earlier = Earlier(config, feed, mapping, self.incoming, ringer)
        self._heard = self._said = 0
        """When a frame of the speaker, and a word about the feed's state came last; 0: never."""
        self._whole = False
        self._still: dict[int, tuple[int, int]] = {}  # by shard that lacks: its batch, since when
        self._back = False  # whether the bus came back, and nothing was said of what was missed
        self._contested = False
        """Whether two speak in one epoch: both are to claim a higher one."""
        self._beat_due = self._ask_due = self._notice_due = self._asked_epoch = 0
        self._pause = ASK_FIRST
        self._started = self._deaf_since = steady_ns()
        self._counted: dict[str, int] = {}

    async def serve(self) -> None:
        """Work until a signal comes."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        log.info("feed started", feed=self.feed, epoch=self.epoch, bus=True)
        bus = asyncio.ensure_future(self.bus.run())
        try:
            if self.earlier is not None:
                await self._catch_up(self.earlier, stop, bus)
            self._listen()
            while not (stop.is_set() or bus.done()):
                self.turn(now_ns(), steady_ns())
                await asyncio.sleep(TURN)
        finally:
            if self.log is not None:
                self.log.stop()
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)
            self.heartbeat.set_why(0)
            self.heartbeat.set_state(counters.STALE)
            log.info("feed stopped", feed=self.feed)

    async def _catch_up(
        self, earlier: Earlier, stop: asyncio.Event, bus: asyncio.Future[None]
    ) -> None:
        """What the log has comes before what the bus brings; alive meanwhile."""
        while not (self.bus.connected or stop.is_set() or bus.done()):
            self._show(*self._judge(steady_ns()))
            self.heartbeat.beat(now_ns())
            await asyncio.sleep(TURN)
        playing = asyncio.ensure_future(earlier.play())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not (playing.done() or stop.is_set()):
                self.heartbeat.beat(now_ns())
                await asyncio.wait(
                    {playing, stopping}, timeout=BEAT / 1e9, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            stopping.cancel()
            if playing.cancel():
                await asyncio.gather(playing, return_exceptions=True)
        if playing.done() and not playing.cancelled():
            playing.result()
        self._started = self._deaf_since = steady_ns()

    def _listen(self) -> None:
        """Take what comes by the bus, from now on."""
        if self.followed is None:
            for subject in self.subjects.deltas:
                self.bus.subscribe(subject, self.take, self.take_many)
        else:
            self.bus.subscribe(self.subjects.refreshes, self.take)
        self.bus.subscribe(self.subjects.images, self.take)
        self.bus.subscribe(self.subjects.state, self._take_state)
        self.bus.subscribe(self.subjects.questions, self._heard_question)

    def turn(self, now: int, steady: int) -> None:
        """Ask for what is missing, and say how it stands."""
        if self.followed is not None:
            self.followed.look(now, steady)
        wanting = self.incoming.wanting() if self._said else []
        self._whole = bool(self._said) and not wanting
        self._note_still(wanting, steady)
        if wanting:
            self._ask(wanting, now, steady)
        else:
            self._pause, self._ask_due = ASK_FIRST, 0
        if self.log is not None:
            self.log.turn()
        state, why = self._judge(steady)
        self._show(state, why)
        if steady >= self._beat_due:
            self._beat_due = steady + BEAT
            self.heartbeat.beat(now)
            self.incoming.settle(now)
            self.incoming.ring()
        if steady >= self._notice_due:
            self._notice_due = steady + NOTICE
            self._notify(now)
        if steady - max(self._heard, self._deaf_since) > DEAF:
            self._deaf_since = steady
            self.bus.reconnect()

    def take(self, subject: bytes, frame: bytes) -> None:
        """A delta or an image."""
        self.take_many([(subject, frame)])

    def take_many(self, messages: list[tuple[bytes, bytes]]) -> None:
        """Deltas and images, which come by the 10,000 a second."""
        now, take, shards = now_ns(), self.incoming.take, self.subjects.shards
        verdicts = [take(frame, now, shards[subject]) for subject, frame in messages]
        if min(verdicts) <= DUPLICATE:
            self._heard = steady_ns()
        self._contested |= OTHER in verdicts

    def _came_back(self) -> None:
        """The bus is there again: what does the speaker have by now?"""
        self._back = bool(self._said)
        if self._back:
            self.question([], now_ns(), ASKS_STATE)

    def _take_state(self, _: bytes, frame: bytes) -> None:
        verdict = self.incoming.take_state(frame, now_ns())
        if verdict == Verdict.VERDICT_TAKEN:
            self._heard = self._said = steady_ns()
            if self._back:
                self._back = False
                self._ask_at_once(self._heard)
        self._contested |= verdict == OTHER

    def _heard_question(self, _: bytes, frame: bytes) -> None:
        """One without shards is of a relay that wants to know of epochs."""
        with suppress(DecodeError):
            head = head_of(frame, self.identity)
            asks = head.kind == FrameKind.FRAME_ASK and head.shard != ASKS_STATE
            if asks and not body_of(frame):
                self._notice_due = 0

    def _ask(self, shards: list[int], now: int, steady: int) -> None:
        """Questions grow rarer while they are not answered; a new epoch is news."""
        if self._asked_epoch != self.incoming.epoch:
            # its speaker sends all images unasked, once
            self._asked_epoch = self.incoming.epoch
            self._pause, self._ask_due = ASK_FIRST, steady + ASK_FIRST
            return
        if not self._ask_due:
            self._ask_due = steady + ASK_FIRST // 2  # what was only reordered comes
        if steady < self._ask_due:
            return
        self._ask_due = steady + self._pause
        self._pause = min(2 * self._pause, ASK_LAST)
        self._ask_for(shards, now)

    def _ask_for(self, shards: list[int], now: int) -> None:
        """Images of shards that are not followed come as refreshes: other frames of them may not
        come here at all."""
        if self.followed is None:
            self.question(shards, now)
            return
        follows = self.followed.interest.followed
        for kind, asked in (
            (0, [each for each in shards if follows[each]]),
            (ASKS_REFRESH, [each for each in shards if not follows[each]]),
        ):
            if asked:
                self.question(asked, now, kind)

    def _ask_at_once(self, steady: int) -> None:
        """For what was missed while the bus was away: nothing of it is still on its way."""
        self._asked_epoch = self.incoming.epoch
        self._pause = ASK_FIRST
        if wanting := self.incoming.wanting():
            self._ask_due = steady + ASK_FIRST
            self._ask_for(wanting, now_ns())

    def question(self, shards: list[int], now: int, kind: int = 0) -> None:
        """Ask the speaker for images; `kind` ASKS_REFRESH: that no log is to keep;
        ASKS_STATE: for the feed's state."""
        head = Head(FrameKind.FRAME_ASK, kind, self.incoming.epoch, 0, self.boot, now)
        frame = make_frame(head, self.identity, asking(shards))
        if self.bus.publish([(self.subjects.questions.encode(), frame)]):
            self.counters.add("requests")

    def _note_still(self, wanting: list[int], steady: int) -> None:
        """Since when shards that lack something stand still."""
        batches = self.incoming.batches if wanting else []
        before, self._still = self._still, {}
        for shard in wanting:
            batch, since = before.get(shard, (-1, steady))
            self._still[shard] = batches[shard], since if batch == batches[shard] else steady

    def _judge(self, steady: int) -> tuple[int, int]:
        """A FeedLiveness and a StaleReason (layout.pxd)."""
        silence = steady - (self._heard or self._started)
        if silence >= SILENT:
            gone = StaleReason.WHY_SILENT if self.bus.connected else StaleReason.WHY_NOT_CONNECTED
            return counters.STALE, gone
        if not self._heard:
            return counters.STARTING, 0
        if any(steady - since >= LACKING for _, since in self._still.values()):
            return counters.STALE, StaleReason.WHY_SILENT
        if silence >= UNSURE or not self._whole:
            return counters.RECOVERING, 0
        return self.incoming.speaker_state, self.incoming.speaker_why

    def _show(self, state: int, why: int) -> None:
        self.heartbeat.set_why(why if state == counters.STALE else 0)
        if state != self.state:
            self.state = state
            self.heartbeat.set_state(state)
            log.info("feed " + FEED_STATES[state], feed=self.feed, epoch=self.incoming.epoch)

    def _notify(self, now: int) -> None:
        counted = self.counters.as_dict()
        rates = {
            name: float(counted[key] - self._counted.get(key, counted[key]))
            for name, key in (("frames", "packets"), ("trades", "trades"), ("bytes", "bytes"))
        }
        self._counted = counted
        notice = Notice(
            box=self.box,
            role="bridge",
            state=FEED_STATES[self.state],
            epoch=self.incoming.epoch | (ANY_RANK if self._contested else 0),
            batches=tuple(self.incoming.batches),
            gaps=counted["lost_messages"],
            followed=self.followed.interest.mask() if self.followed is not None else "",
            watchers=sum(self.followed.interest.watchers) if self.followed is not None else 0,
            rates=rates,
            log="" if self.log is None else self.log.fault or "reads",
            log_lost=0 if self.log is None else self.incoming.late.lost,
            recalled=self.incoming.late.recalled,
        )
        self._contested = False
        frame = notice_frame(notice, self.boot, self.identity, now)
        self.bus.publish([(self.subjects.notices.encode(), frame)])


class Followed:
    """The shards that this box's clients watch, and the subscriptions of their deltas. The others
    have images.

    Args:
        shards: how many there are.
        gateways: the segments in which watchers are counted.
    """

    def __init__(self, bridge: Bridge, shards: int, gateways: list[Mapping]) -> None:
        self.bridge = bridge
        self.interest = Interest(shards)
        self.watched = WatchedShards(gateways, shards)
        self.subscriptions: dict[int, Subscription] = {}
        self._refresh_due = 0
        for shard in range(shards):
            bridge.incoming.follow(shard, False)

    def look(self, now: int, steady: int) -> None:
        """Follow what is watched, and ask for images of what is not and has changed."""
        bridge = self.bridge
        watchers = self.watched.read() if self.watched.changed() else None
        begin, end = self.interest.look(watchers, steady)
        for shard in begin:
            bridge.incoming.follow(shard, True)
            subject = bridge.subjects.delta(shard).decode()
            self.subscriptions[shard] = bridge.bus.subscribe(subject, bridge.take)
        for shard in end:
            bridge.bus.unsubscribe(self.subscriptions.pop(shard))
            bridge.incoming.follow(shard, False)
        if steady >= self._refresh_due:
            outdated = bridge.incoming.outdated(now - REFRESH)
            if outdated:
                self._refresh_due = steady + REFRESH_AGAIN
                bridge.question(outdated, now, ASKS_REFRESH)
