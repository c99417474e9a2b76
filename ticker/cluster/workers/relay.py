"""The relay: a process that reads the feeds' segments and publishes them on the bus.

In: segments of feeds, like a gateway. Out: frames, in the subjects of subjects.py. No feed ever
waits for it. While the bus takes nothing, rows wait as they change, and trades up to a bound.

`run` is called by the supervisor in a forked child and returns when the relay was told to stop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import structlog
import uvloop

from ticker.clock import now_ns, steady_ns
from ticker.cluster.buses.nats import Message, NatsBus
from ticker.cluster.claim import MS, Claim, Turn
from ticker.cluster.context import RelayContext
from ticker.cluster.frame import (
    ASKS_REFRESH,
    ASKS_STATE,
    FrameKind,
    Head,
    body_of,
    head_of,
    identity,
    life_of,
    make_frame,
    shards_in,
)
from ticker.cluster.log.engines import Bus, open_bus, writing_of
from ticker.cluster.log.writing import LogWriting
from ticker.cluster.notice import Notice, notice_frame
from ticker.cluster.outbox import Outbox
from ticker.cluster.outgoing import Outgoing
from ticker.cluster.subjects import Subjects
from ticker.cluster.workers.box import box_name
from ticker.cluster.workers.pricing import pricing_of
from ticker.config import ClusterConfig, Config
from ticker.errors import DecodeError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_RELAY
from ticker.shm.liveness import WORKER_TIMEOUT_NS
from ticker.shm.segment import attach

log = structlog.get_logger()

POLL = 0.002
"""s between two looks into the rings: what a first tick after quiet waits at most."""
NAP = 10 * MS
"""ns between two looks at most. They are fewer while all shards have just been told of: then no
frame can be due."""
STATE = 100 * MS
"""ns between two words about a feed's state: its speaker's sign of life."""
ANSWERS = 20 * MS
"""ns between two answers to questions for images, which many bridges may ask at once."""
LOOK = 1000 * MS
"""ns between two looks at all rows, and two notices."""
BEAT = 250 * MS
IMAGE = int(FrameKind.FRAME_IMAGE)


def run(config: Config, context: RelayContext) -> None:
    """Publish until SIGTERM or SIGINT.

    Raises:
        SegmentError: a segment is missing or not the expected one.
    """
    assert config.cluster is not None
    uvloop.run(Relay(config.cluster, context).serve())


class Relay:
    """All feeds of a server that have lines of their own, on one connection."""

    def __init__(self, config: ClusterConfig, context: RelayContext) -> None:
        boot = context.boot_id
        segment = attach(context.segment, KIND_RELAY, boot_id=boot, writable=True)
        self.heartbeat = Heartbeat(segment)
        self.counters = Counters(segment)
        for gauge in ("connected", "speaking"):  # a predecessor's, which was killed
            self.counters.put(gauge, 0)
        life = life_of(boot, self.heartbeat.take_over(os.getpid(), now_ns()))
        self.box = box_name(context.instance)
        self.bus = open_bus(config, f"ticker relay {self.box}", up=self._up, down=self._count)
        self.speakers = [
            Speaker(config, context, name, shared, self.bus, self.counters, life)
            for name, shared in context.feeds
        ]
        self._pongs = 0
        self._beat = 0

    async def serve(self) -> None:
        """Work until a signal comes."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        bus = asyncio.ensure_future(self.bus.run())
        try:
            while not (stop.is_set() or bus.done()):
                self.turn()
                await asyncio.sleep(max(POLL, self._pause()))
        finally:
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)
            self.heartbeat.leave()

    def turn(self) -> None:
        """One look at all feeds."""
        now, steady = now_ns(), steady_ns()
        ponged = self.bus.pongs != self._pongs
        self._pongs = self.bus.pongs
        for speaker in self.speakers:
            if ponged:
                speaker.claim.ponged(steady)
            speaker.turn(now, steady)
        if not 0 <= now - self._beat < BEAT:
            self._beat = now
            self.heartbeat.beat(now)
            self._count()

    def _pause(self) -> float:
        """s for which no feed has anything to say."""
        now = now_ns()
        return min([NAP, *[each.pause(now) for each in self.speakers]]) / 1e9 + 0.0005

    def _up(self) -> None:
        for speaker in self.speakers:
            speaker.listen()
        self._count()

    def _count(self) -> None:
        self.counters.put("connected", int(self.bus.connected))
        self.counters.put("speaking", sum(each.claim.speaks for each in self.speakers))
        self.counters.put("lapped", sum(each.outgoing.lapped for each in self.speakers))
        self.counters.put("dropped", sum(each.outgoing.dropped for each in self.speakers))
        self.counters.put("rows", sum(each.outgoing.rows_told for each in self.speakers))
        self.counters.put("trades", sum(each.outgoing.trades_told for each in self.speakers))
        logs = [each.log for each in self.speakers if each.log is not None]
        self.counters.put("log_stored", sum(each.count.stored for each in logs))
        self.counters.put("log_lost", sum(each.count.lost for each in logs))
        self.counters.put("log_failing", sum(bool(each.fault) for each in logs))
        self.counters.put("cpu_ns", time.process_time_ns())


class Speaker:
    """One feed of this box: whether it speaks of it, and what it says."""

    def __init__(
        self,
        config: ClusterConfig,
        context: RelayContext,
        feed: str,
        shared: str,
        bus: Bus,
        counters: Counters,
        life: int,
    ) -> None:
        mapping = attach(shared, KIND_FEED, boot_id=context.boot_id)
        self.feed = feed
        self.box = box_name(context.instance)
        self.life = life
        self.rank = config.rank
        self.pinned = config.pinned
        self.shards = config.shards + len(config.pinned)
        self.identity = identity(config.name, feed)
        self.subjects = Subjects(config.name, feed, config.lane, config.shards, config.pinned)
        self.bus = bus
        self.log = writing_of(bus, config, feed, life)
        self.counters = counters
        self.heartbeat = Heartbeat(mapping)
        self.outgoing = Outgoing(
            mapping,
            self.identity,
            config.shards,
            int(config.interval * 1e9),
            config.lane == "ticks",
            life,
            config.pinned,
        )
        self.pricing = pricing_of(bus, config, feed, mapping, life)
        silence = int(config.silence * 1e9)
        self.claim = Claim(config.rank, silence, life, steady_ns())
        self._deltas = [self.subjects.delta(shard) for shard in range(self.shards)]
        self.outbox = Outbox(self._deltas)
        self.asked: set[int] = set()
        self.refreshed: set[int] = set()
        self._refresh_due = 0
        self._state_due = self._answer_due = self._look_due = 0
        self._told = self._made = (0, 0, 0)
        bus.subscribe(self.subjects.state, self._heard_state)
        bus.subscribe(self.subjects.notices, self._heard_notice)
        bus.subscribe(self.subjects.questions, self._heard_question)

    def listen(self) -> None:
        """The bus is there: ask who has heard of which epoch."""
        if self.log is not None:
            self.log.listen()
        self.claim.listen(steady_ns())
        self._state_due = 0  # it says what bridges lack of that which was on its way
        head = Head(FrameKind.FRAME_ASK, 0, self.claim.highest, 0, self.life, now_ns())
        frame = make_frame(head, self.identity, b"")
        self.bus.publish([(self.subjects.questions.encode(), frame)])

    def turn(self, now: int, steady: int) -> None:
        """Read the rings, and publish what is due."""
        self.outgoing.gather()
        looks = steady >= self._look_due
        if looks:
            self._look_due = steady + LOOK
            self.outgoing.look()
            self._notify(now)
        if self.log is not None:
            self.log.turn(steady)
        fit = self._fit(now)
        if self.claim.speaks and not fit:
            self.claim.stop(steady)
            log.warning("speaks of a feed no more: its worker is gone", feed=self.feed)
        if self.bus.connected and self.claim.turn(steady, fit=fit) is Turn.BEGIN:
            self._begin()
        if not self.claim.speaks:
            self.outgoing.rest(looks)
        elif self.bus.ready:
            self._speak(now, steady)
            if looks and self.log is not None:
                shards = self.log.checkpoints(LOOK / 1e9)
                self._publish(self.outgoing.images(shards, now), steady, self.subjects.checkpoint)
        if self.pricing is not None:
            self.pricing.turn(self.claim.epoch if self.claim.speaks else 0, now, ages=looks)
        self._tally()

    def pause(self, now: int) -> int:
        """ns for which there is nothing to say."""
        return self.outgoing.pause(now) if self.claim.speaks else 0

    def _tally(self) -> None:
        out = self.outgoing
        made = out.deltas_told, out.images_told, out.bytes_told
        if made != self._made:
            names = ("frames", "images", "bytes")
            for name, number, before in zip(names, made, self._made, strict=True):
                self.counters.add(name, number - before)
            self._made = made

    def _fit(self, now: int) -> bool:
        return bool(self.heartbeat.pid) and now - self.heartbeat.time_ns < WORKER_TIMEOUT_NS

    def _begin(self) -> None:
        self.outgoing.begin(self.claim.epoch)
        self.asked = set(range(self.shards))
        self._state_due = self._answer_due = 0
        self.counters.add("claims")
        log.info("speaks of a feed", feed=self.feed, epoch=self.claim.epoch)

    def _speak(self, now: int, steady: int) -> None:
        if self.asked and steady >= self._answer_due:
            self._answer_due = steady + ANSWERS
            asked, self.asked = sorted(self.asked), set()
            self._publish(self.outgoing.images(asked, now), steady, self.subjects.image)
        if self.refreshed and steady >= self._refresh_due:
            self._refresh_due = steady + ANSWERS
            self._refresh(now, steady)
        self._flush(now, steady)
        if steady >= self._state_due:
            self._state_due = steady + STATE
            self.bus.publish([(self.subjects.state.encode(), self.outgoing.state_frame(now))])

    def _flush(self, now: int, steady: int) -> None:
        """What is due: for NATS all at once, but for frames that the log is to acknowledge."""
        log_of = self.log if isinstance(self.log, LogWriting) else None
        if not isinstance(self.bus, NatsBus) or (log_of is not None and log_of.asks(steady)):
            self._publish(self.outgoing.flush(now), steady, self.subjects.image)
            return
        self.outgoing.flush_to(now, self.outbox)
        frames = self.outbox.frames
        if frames and self.bus.send(self.outbox.take()) and log_of is not None:
            log_of.sent(frames)

    def _refresh(self, now: int, steady: int) -> None:
        """Images for boxes that do not follow these shards. The log does not keep them."""
        shards, self.refreshed = sorted(self.refreshed), set()
        frames = self.outgoing.images(shards, now)
        deltas = [each for each in frames if each[0] != IMAGE]
        self._publish(deltas, steady, self.subjects.image)
        images = [
            (self.subjects.refresh(shard), frame) for kind, shard, frame in frames if kind == IMAGE
        ]
        self.bus.publish(images)

    def _publish(
        self,
        frames: list[tuple[int, int, bytes]],
        steady: int,
        image: Callable[[int], bytes],
    ) -> None:
        if not frames:
            return
        deltas = self._deltas
        messages: list[Message] = [
            (image(shard) if kind == IMAGE else deltas[shard], frame)
            for kind, shard, frame in frames
        ]
        if self.log is None:
            self.bus.publish(messages)
        else:
            self.log.publish(messages, steady)

    def _heard_state(self, _: bytes, frame: bytes) -> None:
        try:
            head = head_of(frame, self.identity)
        except DecodeError:
            self.counters.add("bad_frames")
            return
        if head.kind == FrameKind.FRAME_STATE and self.claim.heard(
            head.epoch, head.boot, steady_ns()
        ):
            self.counters.add("yields")
            log.warning("another box speaks of a feed", feed=self.feed, epoch=head.epoch)

    def _heard_notice(self, _: bytes, frame: bytes) -> None:
        try:
            stops = self.claim.told(head_of(frame, self.identity).epoch, steady_ns())
        except DecodeError:
            self.counters.add("bad_frames")
            return
        if stops:
            self.counters.add("yields")

    def _heard_question(self, _: bytes, frame: bytes) -> None:
        try:
            head = head_of(frame, self.identity)
        except DecodeError:
            self.counters.add("bad_frames")
            return
        if head.kind != FrameKind.FRAME_ASK:
            return
        if head.shard == ASKS_STATE:
            self._state_due = 0
            return
        asked = shards_in(body_of(frame))
        if not asked and head.boot != self.life:
            self._look_due = 0  # a notice says what we have heard of
        if self.claim.speaks:
            wanted = self.refreshed if head.shard == ASKS_REFRESH else self.asked
            wanted.update(each for each in asked if each < self.shards)

    def _notify(self, now: int) -> None:
        state = "speaks" if self.claim.speaks else "waits" if self._fit(now) else "unfit"
        out = self.outgoing
        told = out.rows_told, out.trades_told, self.counters["bytes"]
        names = ("rows", "trades", "bytes")
        rates = {name: float(told[at] - self._told[at]) for at, name in enumerate(names)}
        self._told = told
        notice = Notice(
            box=self.box,
            role="relay",
            state=state,
            epoch=self.claim.highest,
            rank=self.rank,
            pinned=self.pinned,
            batches=tuple(out.batches) if self.claim.speaks else (),
            lapped=out.lapped,
            dropped=out.dropped,
            rates=rates,
            log="" if self.log is None else self.log.fault or "keeps",
            log_lost=0 if self.log is None else self.log.count.lost,
        )
        frame = notice_frame(notice, self.life, self.identity, now)
        self.bus.publish([(self.subjects.notices.encode(), frame)])
