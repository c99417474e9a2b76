"""A server of recorded days: its configuration, and how each of its feeds is played."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ticker.clock import now_ns, steady_ns
from ticker.config import Config, FeedConfig, StoreConfig
from ticker.config.record import RecordConfig
from ticker.errors import StoreError
from ticker.feeds.workers.presence import FeedContext
from ticker.record.playback.faults import Faults, at_time_of_day, time_of_day
from ticker.record.playback.library import Recording
from ticker.record.playback.playing import Play, run

SECOND = 1_000_000_000
START = 2 * SECOND
"""ns from the command to the first event at its pace: clients and workers come first."""
RING_CAPACITY = 131_072
ALWAYS = 36_500
"""Days that bars are kept, however old the recording is."""
FOREVER = 86_400.0 * 36_500
"""s: prices of another day are as old as they are."""


def configuration(
    base: Config, recordings: Sequence[Recording], folder: Path, *, port: int, as_they_were: bool
) -> Config:
    """The server of `base`, its feeds being these recordings; what its store keeps goes to
    `folder`."""
    feeds = [_feed(each, as_they_were=as_they_were) for each in recordings]
    return server_of(base, feeds, folder, port=port)


def server_of(base: Config, feeds: Sequence[FeedConfig], folder: Path, *, port: int) -> Config:
    """The server of `base` with these feeds instead; what its store keeps goes to `folder`."""
    server = msgspec.structs.replace(base.server, instance=f"replay-{os.getpid()}", port=port)
    return msgspec.structs.replace(
        base,
        server=server,
        store=StoreConfig(folder=str(folder), interval=0.5, bars_days=ALWAYS, history_days=ALWAYS),
        record=RecordConfig(),
        cluster=None,
        feeds=tuple(feeds),
    )


def _feed(recording: Recording, *, as_they_were: bool) -> FeedConfig:
    return FeedConfig(
        name=recording.feed,
        protocol="recording",
        venue="XXXX",  # rows have their own
        rows=recording.rows,
        rings=recording.rings,
        ring_capacity=RING_CAPACITY,
        timezone=recording.timezone,
        calendar="none",
        quiet_after=FOREVER if as_they_were else 60.0,
    )


def feed_main(
    recordings: Sequence[Recording],
    *,
    speed: float,
    since: str | None,
    as_they_were: bool,
    faults: Faults | None,
    seed: int,
) -> Callable[[FeedConfig, FeedContext], None]:
    """The main function of a feed's worker. All feeds begin at the same moment of the recording.

    Raises:
        StoreError: a recording cannot be read, has no events, or none from `since` on.
    """
    firsts = [_first(each) for each in recordings]
    begin = min(firsts)
    if since is not None:
        begin = at_time_of_day(begin, time_of_day(since), recordings[0].timezone)
    started = steady_ns() + START
    shift = 0 if as_they_were else now_ns() + START - begin
    plays = {
        each.feed: Play(each, begin, started, speed, shift, faults, seed) for each in recordings
    }

    def main(config: FeedConfig, context: FeedContext) -> None:
        run(plays[config.name], config, context)

    return main


def _first(recording: Recording) -> int:
    for events in recording.events():
        if events.count:
            return events.time(0)
    raise StoreError(f"the recording of {recording.feed!r} has no events")


def parse_speed(text: str) -> float:
    """ "1", "2.5", "10x" or "max". Raises StoreError."""
    if text == "max":
        return math.inf
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < math.inf:
        raise StoreError(f"--speed: {text!r} is none; take 1, 10 or max")
    return speed
