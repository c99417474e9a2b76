"""The log for a bridge: it gives the frames that never came, so that each trade is told.

In: the shards whose trades wait. Out: frames of the log, for them. What the log does not have
within PATIENCE is lost, and said.
"""

from __future__ import annotations

import asyncio

import structlog

from ticker.clock import now_ns, steady_ns
from ticker.cluster.incoming import Incoming
from ticker.cluster.log.engines import Bus, Source, deltas_since
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig

log = structlog.get_logger()

MARGINS = (2_000_000_000, 60_000_000_000)
"""ns that the log is read from before the time of the newest frame: clocks of boxes differ. The
second one is for those that differ much."""
PATIENCE = 1_000_000_000
"""ns in which the log gives nothing new, after which it has no more."""
TRIES = 8
"""Readings, while more shards come to wait."""
LONGEST = 60_000_000_000
"""ns that a reading may take."""
AT_ONCE = 256
"""Frames that are taken between two looks at other work."""


class LogFilling:
    """Of one feed.

    Attributes:
        fault: why the log was of no use the last time; empty: it was.
    """

    def __init__(
        self, bus: Bus, cluster: ClusterConfig, feed: str, incoming: Incoming, found: int
    ) -> None:
        self.bus, self.cluster, self.feed, self.incoming = bus, cluster, feed, incoming
        self.subjects = Subjects(cluster.name, feed, cluster.lane, cluster.shards, cluster.pinned)
        self.fault = ""
        self._task: asyncio.Task[None] | None = None
        self.late = incoming.use_log(found)

    def turn(self) -> None:
        """Read the log, if something is missing."""
        if (self._task is None or self._task.done()) and self.incoming.owing():
            self._task = asyncio.get_running_loop().create_task(self._fill())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _fill(self) -> None:
        before = self.late.recalled
        for _ in range(TRIES):
            asked = set(self.incoming.owing())
            for margin in MARGINS:
                await self._read(asked, self.late.since() - margin)
                if not asked.intersection(self.incoming.owing()):
                    break
            if asked.issuperset(self.incoming.owing()):
                break  # else images have come meanwhile, and trades behind them wait, too
        lost = self.incoming.forgive(now_ns())
        got = self.late.recalled - before
        if lost:
            log.error(
                "a hole, and the log does not have all of it: trades are lost",
                feed=self.feed, frames=lost, recalled=got, reason=self.fault or "not in the log",
            )  # fmt: skip
        elif got:
            log.info("the log filled a hole", feed=self.feed, frames=got)

    async def _read(self, asked: set[int], since: int) -> None:
        """Until nothing is missing of these shards, or nothing more comes. The end of the log says
        nothing of a shard that came to wait while it was read."""
        reader = deltas_since(self.bus, self.cluster, self.feed, sorted(asked), since)
        task = asyncio.ensure_future(reader.run())
        began = steady_ns()
        try:
            newest, recalled = began, self.late.recalled
            while asked.intersection(self.incoming.owing()) and steady_ns() - began < LONGEST:
                came = self._take(reader)
                if reader.at_end:
                    if not asked.issuperset(self.incoming.owing()):
                        break
                    self.late.settle_quiet(self.incoming.epoch, now_ns())
                if self.late.recalled > recalled or (came and not reader.at_end):
                    newest, recalled = steady_ns(), self.late.recalled
                elif steady_ns() - newest > PATIENCE:
                    break
                await reader.wait(0.05)
                await asyncio.sleep(0)  # live frames, too
        finally:
            self.fault = reader.fault
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _take(self, reader: Source) -> bool:
        """Whether something came."""
        found = reader.take(AT_ONCE)
        for subject, frame in found:
            self.incoming.recall(frame, now_ns(), self.subjects.shard(subject))
        self.incoming.ring()
        return bool(found)
