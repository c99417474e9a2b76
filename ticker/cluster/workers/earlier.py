"""Trades from before this box was there: an empty bridge plays the log of the last hours first.

Rows and trades come as they would have, had it been there all the time, and then the bus goes on
where the log ends. A box that finds rows of a predecessor asks the log only for what it missed
(log/filling.py).
"""

from __future__ import annotations

import asyncio

import structlog

from ticker.clock import now_ns
from ticker.cluster.incoming import Incoming
from ticker.cluster.log.player import LogPlay, LogPlayer
from ticker.cluster.log.sources import Logged, find_logs
from ticker.config import ClusterConfig
from ticker.errors import TickerError
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping

log = structlog.get_logger()

LONGEST = 120.0
"""s that this may take: a box is to serve. What is left out then is a hole, as any other."""
HOUR = 3_600_000_000_000
FOREVER = 1 << 62
"""A publish time that no frame reaches, ns."""


class Earlier:
    """Of one feed, whose segment `incoming` writes."""

    def __init__(
        self,
        config: ClusterConfig,
        feed: str,
        mapping: Mapping,
        incoming: Incoming,
        ringer: DoorbellRinger,
    ) -> None:
        self.config, self.feed = config, feed
        self.mapping, self.incoming, self.ringer = mapping, incoming, ringer

    async def play(self) -> None:
        """Play to the end of the log. A log that cannot be read stops no price: it is said."""
        try:
            logged = await self._find()
            if logged is None:
                return
            assert self.config.kept is not None
            since = now_ns() - int(self.config.kept.catch_up_hours * HOUR)
            play = LogPlay(logged, since, FOREVER)
            player = LogPlayer(play, self.mapping, self.ringer, self.incoming)
            begun = now_ns()
            async with asyncio.timeout(LONGEST):
                await player.run()
        except TimeoutError:
            log.error(
                "the log is too long to be played before the bus is taken",
                feed=self.feed, frames=player.frames, seconds=LONGEST,
                advice="lower catch_up_hours of [cluster.log]",
            )  # fmt: skip
            return
        except TickerError as error:
            log.error("no earlier trades from the log", feed=self.feed, reason=str(error))
            return
        log.info(
            "the log gave what was before this box",
            feed=self.feed, frames=player.frames, lost=player.lost,
            seconds=round((now_ns() - begun) / 1e9, 3),
        )  # fmt: skip

    async def _find(self) -> Logged | None:
        """The log of the feed; None: there is none yet."""
        if self.config.bus == "kafka":  # its client waits for brokers
            logs = await asyncio.to_thread(asyncio.run, find_logs(self.config))
        else:
            logs = await find_logs(self.config)
        return next((each for each in logs if each.feed == self.feed), None)
