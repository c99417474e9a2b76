"""The process of a feed that is played from the log of a bus.

`run` is called by the supervisor in a forked child; it returns when the feed was told to stop. At
the end of the log the feed has ended, and its last prices stay. The successor of a dead worker
plays from the beginning at once: rows never go back, and trades that were told are not told again.
"""

from __future__ import annotations

import asyncio
import os
import signal

import structlog
import uvloop

from ticker.clock import now_ns
from ticker.cluster.context import BridgeContext
from ticker.cluster.log.player import LogPlay, LogPlayer
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_FEED, KIND_GATEWAY
from ticker.shm.segment import attach

log = structlog.get_logger()

BEAT = 0.1
"""s between two signs of life."""


def run(play: LogPlay, context: BridgeContext, quiet: float) -> None:
    """Play until SIGTERM or SIGINT. `quiet`: s after which a symbol is quiet.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        StoreError: the log cannot be read.
    """
    uvloop.run(PlayedFeed(play, context, quiet).serve())


class PlayedFeed:
    """Plays into the segment of `context`."""

    def __init__(self, play: LogPlay, context: BridgeContext, quiet: float) -> None:
        boot = context.boot_id
        mapping = attach(context.segment, KIND_FEED, boot_id=boot, writable=True)
        doors = [(attach(name, KIND_GATEWAY, boot_id=boot), fd) for name, fd in context.gateways]
        self.feed = play.logged.feed
        self.heartbeat = Heartbeat(mapping)
        self.epoch = self.heartbeat.take_over(os.getpid(), now_ns())
        self.heartbeat.set_patience(0, int(quiet * 1e9))
        self.player = LogPlayer(play, mapping, DoorbellRinger(doors))
        self.speed, self.shift = play.speed, play.shift

    async def serve(self) -> None:
        """Work until a signal comes."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        log.info(
            "feed started", feed=self.feed, epoch=self.epoch, speed=self.speed, shift=self.shift
        )
        self.heartbeat.set_state(counters.LIVE)
        playing = asyncio.ensure_future(self.player.run())
        stopping = asyncio.ensure_future(stop.wait())
        ended = False
        try:
            while not stop.is_set():
                self.heartbeat.beat(now_ns())
                if not playing.done():
                    self.heartbeat.heard(now_ns())
                elif not ended:
                    ended = True
                    self._end(playing)
                waiting = {stopping} if ended else {stopping, playing}
                await asyncio.wait(waiting, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            playing.cancel()
            stopping.cancel()
            await asyncio.gather(playing, stopping, return_exceptions=True)
            log.info("feed stopped", feed=self.feed)

    def _end(self, playing: asyncio.Future[None]) -> None:
        playing.result()
        self.heartbeat.set_state(counters.ENDED)
        player = self.player
        log.info("feed ended", feed=self.feed, frames=player.frames, lost=player.lost)
        if player.lost:
            log.error("the log has holes", feed=self.feed, frames=player.lost)
