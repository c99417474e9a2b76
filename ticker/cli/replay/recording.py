"""Recordings on the command line: a folder of them shown, or served; a capture recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticker.errors import StoreError
from ticker.lines import print_line
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed
from ticker.supervisor.configuration import load

if TYPE_CHECKING:
    from ticker.feeds.workers.pipeline import Pipeline
    from ticker.record.playback.faults import Line
    from ticker.record.playback.library import Recording

Block = tuple[bytes, int, int]
AT_ONCE = 4096
"""Packets among which they may be displaced."""
NEEDED = "recordings need pyarrow: pip install 'ticker[record]'"


@dataclass(frozen=True)
class Serving:
    """The options for serving a recording."""

    speed: str
    since: str | None
    times: str
    faults: str | None
    seed: int
    port: int
    config: Path | None


OPTIONS = (
    click.option("--serve", is_flag=True, help="Run a whole server of it, until Ctrl-C."),
    click.option(
        "--speed", default="1", show_default=True, help="With --serve: 1, 10, ... or max."
    ),
    click.option(
        "--from",
        "since",
        metavar="HH:MM[:SS]",
        help="With --serve: events before this time of day come at once. Of a bus's log: play from "
        "this time on, or from one like 2026-03-30T09:30.",
    ),
    click.option(
        "--times",
        type=click.Choice(["shifted", "recorded"]),
        default="shifted",
        show_default=True,
        help="With --serve: all times are moved, so that the recording begins now, or are as they "
        "were.",
    ),
    click.option(
        "--faults",
        metavar="loss=1%,reorder=32,duplicate=0.1%,gap=2s@10:00",
        help="Faults of the line: packets of a capture, events of a recording.",
    ),
    click.option(
        "--seed",
        default=1,
        show_default=True,
        type=click.IntRange(0),
        help="Of the faults: the same seed gives the same run.",
    ),
    click.option("--port", default=8700, show_default=True, type=click.IntRange(0, 65_535)),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="With --serve: limits, tokens and certificates of the server.",
    ),
    click.option(
        "--record",
        "output",
        type=click.Path(file_okay=False, path_type=Path),
        help="Write the events of a capture to Parquet files in this folder (docs/record.md).",
    ),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `ticker replay` for recordings."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def is_recording(path: Path) -> bool:
    """Whether the path is a folder of recordings, or a file of one."""
    return path.is_dir() or path.suffix == ".parquet"


def read(path: Path) -> list[Recording]:
    """The recordings of a folder, or the one of a file. Raises StoreError."""
    try:
        from ticker.record.playback.library import recordings
    except ImportError:
        raise StoreError(NEEDED) from None
    return recordings(path)


def played(recording: Recording, faults: str | None, seed: int) -> Mapping:
    """The whole recording, played into a segment of this process. Raises StoreError."""
    from ticker.record.playback.faults import Line, parse_faults
    from ticker.record.player import Player

    segment = private_feed(Geometry(recording.rows, recording.rings), 1, 1)
    line = Line(parse_faults(faults), recording.timezone, seed) if faults else None
    player = Player(segment, faulty=line is not None)
    for events in recording.events():
        order = line.order(events.times, events.images) if line else None
        player.play(events, 0, events.count, order)
    player.flush()
    return segment


def record(
    pipeline: Pipeline, source: Iterable[Block], output: Path, name: str, timezone: str
) -> None:
    """A capture through the pipeline into files of a folder. Raises StoreError."""
    try:
        from ticker.record.capture import record_file
        from ticker.record.tape import Tape
    except ImportError:
        raise StoreError(NEEDED) from None
    tape = Tape(pipeline.mapping, name, output, timezone)
    try:
        record_file(pipeline, source, tape)
    except OSError as error:
        raise StoreError(f"{output}: {error.strerror}; name a folder that can be written") from None
    click.echo(f"{output}: {tape.events} events, {tape.written_bytes} bytes", err=True)


def with_faults(source: Iterable[Block], faults: str, timezone: str, seed: int) -> Iterator[Block]:
    """The packets of a capture as they come by a line with faults. Raises StoreError."""
    from ticker.record.playback.faults import Line, parse_faults

    line = Line(parse_faults(faults), timezone, seed)
    return _arrivals(source, line)


def _arrivals(source: Iterable[Block], line: Line) -> Iterator[Block]:
    blocks = iter(source)
    latest = 0
    while batch := list(islice(blocks, AT_ONCE)):
        for place in line.arrivals([time for _, time, _ in batch]):
            content, time, number = batch[place]
            latest = max(latest, time)
            yield content, latest, number


def serve(recordings: list[Recording], serving: Serving) -> int:
    """Run a whole server with these recordings as feeds; returns its exit code.

    Raises:
        StoreError, ConfigError: a recording or an option is refused.
    """
    from ticker.record.playback.faults import parse_faults
    from ticker.supervisor.replayed import configuration, feed_main, parse_speed
    from ticker.supervisor.serve import start

    as_they_were = serving.times == "recorded"
    main = feed_main(
        recordings,
        speed=parse_speed(serving.speed),
        since=serving.since,
        as_they_were=as_they_were,
        faults=parse_faults(serving.faults) if serving.faults else None,
        seed=serving.seed,
    )
    with tempfile.TemporaryDirectory(prefix="ticker-replay-") as folder:
        config = configuration(
            load(serving.config),
            recordings,
            Path(folder),
            port=serving.port,
            as_they_were=as_they_were,
        )
        return start(config, print_line, feed_main=main)
