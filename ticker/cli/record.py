"""`ticker record`: the events of a running server's feeds into Parquet files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ticker.config import Config, FeedConfig, parse_address
from ticker.errors import ConfigError, NoServerError, SegmentError, StoreError
from ticker.shm.header import Mapping as Segment
from ticker.supervisor.configuration import load
from ticker.supervisor.find import attach_feeds

if TYPE_CHECKING:
    from ticker.record.packets import PacketTape
    from ticker.record.recorder import Recorder

WAIT = 0.2
"""s between two looks for a server that is not there."""


@click.command()
@click.option("--feed", "names", multiple=True, help="Its name; once for each. Default: all.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder; one file for each feed and hour is made in it.",
)
@click.option("--config", "path", type=click.Path(path_type=Path), help="Of the server.")
@click.option("--interval", default=30.0, show_default=True, type=click.FloatRange(0.1, 3600))
@click.option(
    "--max-gigabytes",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Of all recordings in the folder; then the oldest hours go.",
)
@click.option(
    "--packets",
    is_flag=True,
    help="The raw packets of the feeds' multicast lines, as pcapng, instead of the events.",
)
def command(
    names: tuple[str, ...],
    output: Path,
    path: Path | None,
    interval: float,
    max_gigabytes: float,
    packets: bool,
) -> None:
    """Record every event of a running server until Ctrl-C.

    The server does not wait for the recorder. Records that were overwritten before the recorder
    read them are counted. `ticker replay DIR --serve` plays the folder again.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise StoreError("a recorder needs pyarrow: pip install 'ticker[record]'") from None
    from ticker.record.recorder import Recorder
    from ticker.record.tape import Tape

    config = load(path)
    feeds = _chosen(config, names)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    most = int(max_gigabytes * 1e9)
    if packets:
        lines = [_packets(feed, output) for feed in feeds]
        _record(_started(Recorder(lines, output, max_bytes=most, interval=interval)), stop)
        return
    while not stop.is_set():
        segments = _attached(config, feeds)
        tapes = [Tape(segments[feed.name], feed.name, output, feed.timezone) for feed in feeds]
        recorder = _started(Recorder(tapes, output, max_bytes=most, interval=interval))
        _record(recorder, stop, partial(_lives, config, segments))
        while not stop.wait(WAIT):
            if all(_lives(config, {name: None}) for name in segments):
                break  # another run of the server


def _started(recorder: Recorder) -> Recorder:
    """It can write. Raises StoreError: it cannot."""
    recorder.turn()
    if recorder.failing:
        raise StoreError("; ".join(recorder.failing.values()))
    names = ", ".join(tape.feed for tape in recorder.tapes)
    click.echo(f"recording {names} to {recorder.folder} (Ctrl-C stops it)")
    return recorder


def _packets(feed: FeedConfig, output: Path) -> PacketTape:
    """The packets of a feed's lines. Raises FeedError, ConfigError: it has none to be joined."""
    from ticker.feeds.transports.datagram_sockets import is_multicast
    from ticker.record.packets import PacketTape

    lines = [parse_address(line) for line in feed.lines]
    if not lines or not all(is_multicast(host) for host, _ in lines):
        raise ConfigError(
            f"feed {feed.name!r}: has no multicast lines, which alone can be heard twice; "
            "record its events"
        )
    return PacketTape(feed.name, lines, feed.interface, feed.source, output)


def _record(
    recorder: Recorder, stop: threading.Event, lives: Callable[[], bool] = lambda: True
) -> None:
    """Until `stop`, or until the server is gone; then say what was recorded."""
    gone = threading.Event()

    def watch() -> None:
        while not stop.wait(WAIT) and lives():
            pass
        gone.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        recorder.serve(gone)
    finally:
        stopped = stop.is_set()
        gone.set()
        if not stopped and lives():
            stop.set()  # it failed
        watcher.join()
    for tape in recorder.tapes:
        click.echo(
            f"{tape.feed}: {tape.events} events, {tape.written_bytes} bytes, "
            f"{tape.lapped} lapped, {tape.dropped} dropped"
        )


def _lives(config: Config, segments: Mapping[str, Segment | None]) -> bool:
    """Whether a server runs that has these segments, or segments of these names."""
    try:
        found = attach_feeds(config.server.instance, list(segments))
    except (NoServerError, SegmentError):
        return False
    return all(
        known is None or found[name].boot_id == known.boot_id for name, known in segments.items()
    )


def _chosen(config: Config, names: tuple[str, ...]) -> list[FeedConfig]:
    known = {feed.name: feed for feed in config.feeds}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no feed {name!r}; known: {', '.join(known) or 'none'}")
    return [known[name] for name in names or known]


def _attached(config: Config, feeds: list[FeedConfig]) -> dict[str, Segment]:
    """The segments of the feeds. Raises NoServerError: no such server runs."""
    return attach_feeds(config.server.instance, [feed.name for feed in feeds])
