"""A day from the log, played into a segment: the same frames as a bridge takes, at their pace or as
fast as they come.

Law: the log is in order, so a number that is missing in a shard is a hole in it. It is counted,
and playing goes on behind it; the next image of the shard makes its rows whole.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from ticker.clock import now_ns, steady_ns
from ticker.cluster.frame import identity, moved, published_at
from ticker.cluster.incoming import Incoming, Verdict
from ticker.cluster.log.sources import Logged, open_source
from ticker.cluster.subjects import Subjects
from ticker.errors import StoreError
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader

SECOND = 1_000_000_000
MARGIN = 5 * SECOND
"""ns that is read before the oldest image which is needed: clocks of boxes differ, and images are
spread."""
AFTER = SECOND
"""ns behind the end for which frames are looked through: boxes publish beside each other."""
AT_ONCE = 256
HELD = int(Verdict.VERDICT_HELD)
NAP = 0.002
READ = 0.06
"""s in which every reader has looked into the rings: the slowest one does each 50 ms."""
GIVE_UP = 10 * SECOND
"""ns after which a log that gives nothing, and is not at its end, is given up."""


@dataclass(frozen=True)
class LogPlay:
    """What is played, and when.

    Attributes:
        since: publish time from which on frames come at their pace; earlier ones come at once. ns.
        until: publish time at which it ends, ns.
        started: the moment at which `since` is played, by the steady clock, ns.
        speed: seconds of the log in one second; infinite: as fast as readers can follow.
        shift: ns by which all times are moved.
    """

    logged: Logged
    since: int
    until: int
    started: int = 0
    speed: float = math.inf
    shift: int = 0


class LogPlayer:
    """Plays into the segment `mapping`.

    Args:
        ringer: rings the gateways. None: nobody reads the rings, so nothing waits for readers.
        incoming: of a bridge, which goes on with the bus; its clock is that of the frames. None:
            one of its own.

    Attributes:
        frames: deltas that were played.
        first: publish time of the first frame that the log has, ns; 0: none yet.
        lost: frames that the log does not have.
    """

    def __init__(
        self,
        play: LogPlay,
        mapping: Mapping,
        ringer: DoorbellRinger | None,
        incoming: Incoming | None = None,
    ) -> None:
        self.play = play
        self.mapping = mapping
        self.ringer = ringer
        cluster = play.logged.cluster
        self.identity = identity(cluster.name, play.logged.feed)
        self.as_it_was = incoming is not None
        self.incoming = incoming or Incoming(
            mapping, self.identity, cluster.shards, ringer, cluster.pinned
        )
        self.subjects = Subjects(
            cluster.name, play.logged.feed, cluster.lane, cluster.shards, cluster.pinned
        )
        self.most = mapping.ring_capacity // 2
        self.frames = 0
        self.first = 0
        self.lost = 0
        self._past = False
        self._written = self._cursors()

    async def run(self) -> None:
        """Until the end.

        Raises:
            StoreError: the log cannot be read.
        """
        play = self.play
        early = int(play.logged.checkpoint * SECOND) + MARGIN
        source = open_source(play.logged, play.since - early)
        task = asyncio.ensure_future(source.run())
        newest = steady_ns()
        try:
            while not self._past:
                found = source.take(AT_ONCE)
                if found:
                    newest = steady_ns()
                    await self._play(found)
                elif source.at_end:
                    break
                elif steady_ns() - newest > GIVE_UP:
                    raise StoreError(
                        f"the log of feed {play.logged.feed!r} cannot be read: "
                        f"{source.fault or 'nothing comes'}"
                    )
                else:
                    self.incoming.ring()
                    await source.wait(0.05)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.incoming.ring()

    async def _play(self, found: list[tuple[bytes, bytes]]) -> None:
        if math.isinf(self.play.speed) and not self.play.shift:
            self._play_at_once(found)
        else:
            await self._play_in_time(found)
        await self._let_them_read()

    def _play_at_once(self, found: list[tuple[bytes, bytes]]) -> None:
        """Frames may be small, and come by the 100,000 a second."""
        until, as_it_was, now = self.play.until, self.as_it_was, now_ns()
        shard_of, take = self.subjects.shard, self.incoming.take
        for subject, frame in found:
            time = published_at(frame)
            if time >= until:
                self._past = time >= until + AFTER
                continue
            self.first = self.first or time
            self.frames += 1
            shard, when = shard_of(subject), time if as_it_was else now
            if take(frame, when, shard) == HELD:
                self.lost += self.incoming.skip(when, shard)

    async def _play_in_time(self, found: list[tuple[bytes, bytes]]) -> None:
        until = self.play.until
        for subject, frame in found:
            time = published_at(frame)
            if time >= until:
                self._past = time >= until + AFTER
                continue
            self.first = self.first or time
            if time > self._due():
                self.incoming.ring()
                while time > self._due():
                    await asyncio.sleep(NAP)
            self._take(frame, self.subjects.shard(subject))

    def _due(self) -> float:
        """The publish time up to which frames are due."""
        play = self.play
        if math.isinf(play.speed):
            return math.inf
        passed = steady_ns() - play.started
        return play.since + passed * play.speed if passed > 0 else play.since - 1

    def _take(self, frame: bytes, shard: int) -> None:
        if self.play.shift:
            frame = moved(frame, self.play.shift, self.identity)
        self.frames += 1
        now = published_at(frame) if self.as_it_was else now_ns()
        verdict = self.incoming.take(frame, now, shard)
        if verdict == HELD:
            self.lost += self.incoming.skip(now, shard)

    async def _let_them_read(self) -> None:
        """Rings wait for nobody, so a fast player does."""
        if self.ringer is None:
            await asyncio.sleep(0)
            return
        written = self._cursors()
        fullest = max(now - then for now, then in zip(written, self._written, strict=True))
        if fullest >= self.most:
            self._written = written
            self.incoming.ring()
            await asyncio.sleep(READ)
        else:
            await asyncio.sleep(0)

    def _cursors(self) -> list[int]:
        """The number of each ring's next record."""
        rings = range(self.mapping.ring_count)
        return [RingReader(self.mapping, ring).position for ring in rings]
