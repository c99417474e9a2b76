"""A server of days from the log of a bus: its feeds, and how each of them is played."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ticker.clock import now_ns, steady_ns
from ticker.cluster.context import BridgeContext
from ticker.cluster.log.player import LogPlay
from ticker.cluster.log.sources import Logged
from ticker.cluster.workers import playing
from ticker.config import FeedConfig
from ticker.feeds.workers.presence import FeedContext
from ticker.supervisor.replayed import FOREVER, RING_CAPACITY, START

QUIET = 60.0
"""s after which a symbol is quiet, where times are moved to now."""


def feed_of(logged: Logged, rows: int, timezone: str, *, as_they_were: bool) -> FeedConfig:
    """The feed of a served log."""
    return FeedConfig(
        name=logged.feed,
        protocol="recording",
        venue="XXXX",  # rows have their own
        rows=rows,
        ring_capacity=RING_CAPACITY,
        timezone=timezone,
        calendar="none",
        quiet_after=FOREVER if as_they_were else QUIET,
    )


def feed_main(
    logs: Sequence[Logged], since: int, until: int, *, speed: float, as_they_were: bool
) -> Callable[[FeedConfig, FeedContext], None]:
    """The main function of a feed's worker. All feeds begin at one moment of the log, `since`."""
    started = steady_ns() + START
    shift = 0 if as_they_were else now_ns() + START - since
    plays = {each.feed: LogPlay(each, since, until, started, speed, shift) for each in logs}

    def main(config: FeedConfig, context: FeedContext) -> None:
        of_bridge = BridgeContext(
            context.segment, context.boot_id, context.instance, context.gateways
        )
        playing.run(plays[config.name], of_bridge, config.quiet_after)

    return main
