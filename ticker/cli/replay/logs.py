"""Logs of a bus on the command line: `ticker replay nats://HOST:PORT --from TIME`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import msgspec

from ticker.cli.replay.recording import Serving
from ticker.cli.replay.report import report_of, table_of
from ticker.clock import now_ns
from ticker.config import ClusterConfig
from ticker.errors import StoreError
from ticker.lines import print_line
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.supervisor.configuration import load

if TYPE_CHECKING:
    from ticker.cluster.log.sources import Logged

SCHEMES = ("nats://", "kafka://")
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Chosen:
    """The options for a log.

    Attributes:
        until: as it was written; None: to the end of the log.
    """

    url: str
    until: str | None
    cluster: str | None
    feeds: tuple[str, ...]
    rows: int
    timezone: str


OPTIONS = (
    click.option("--to", "until", metavar="TIME", help="Of a bus's log: play up to this time."),
    click.option(
        "--cluster", help="Of a bus's log: the cluster.  [default: the one that is there]"
    ),
    click.option("--feed", "log_feeds", multiple=True, help="Of a bus's log: these feeds only."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `ticker replay` for logs."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


class SourceType(click.ParamType[Any]):
    """A file, a folder, or the address of a bus."""

    name = "file"

    def convert(self, value: Any, _param: Any, _ctx: Any) -> Path | str:
        return value if is_log(value) else Path(value)


def is_log(source: object) -> bool:
    """Whether this is the address of a bus."""
    return isinstance(source, str) and source.startswith(SCHEMES)


def run(chosen: Chosen, serving: Serving, *, serve: bool, as_json: bool) -> int:
    """Play logs; the exit code.

    Raises:
        NoServerError, StoreError, ConfigError: there is none, or an option is refused.
    """
    from ticker.cluster.log.sources import find_logs

    if serving.faults is not None:
        raise click.UsageError("--faults: only for captures and recordings, not for a log")
    if serving.since is None:
        raise click.UsageError(
            "Missing option '--from': the time at which to begin in the log, like 09:30 or "
            "2026-03-30T09:30"
        )
    since = moment(serving.since, chosen.timezone)
    until = moment(chosen.until, chosen.timezone) if chosen.until is not None else now_ns()
    if since >= until:
        raise click.UsageError("--from: not before the end; name a time in the past")
    logs = _chosen(chosen, asyncio.run(find_logs(_cluster(chosen, serving))))
    if serve:
        return _serve(logs, chosen, serving, since, until)
    _show(logs, chosen, since, until, as_json=as_json)
    return 0


def moment(text: str, timezone: str) -> int:
    """ns since the epoch of a time like 2026-03-30T09:30 or 09:30, which is one of today; by the
    clocks of the zone, or with an offset of its own.

    Raises:
        BadParameter: it is none.
    """
    zone = ZoneInfo(timezone)
    if "T" not in text and "-" not in text:
        text = f"{datetime.now(zone):%Y-%m-%d}T{text}"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time, like 09:30 or 2026-03-30T09:30:05"
        ) from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=zone)
    whole = found.astimezone(UTC)
    return int(whole.replace(microsecond=0).timestamp()) * SECOND + whole.microsecond * 1000


def _cluster(chosen: Chosen, serving: Serving) -> ClusterConfig:
    """The servers, with the login of a box's configuration."""
    base = load(serving.config).bus if serving.config is not None else None
    base = base or ClusterConfig()
    return msgspec.structs.replace(
        base,
        servers=(chosen.url,),
        name=chosen.cluster or base.name,
        bus=chosen.url.partition(":")[0],
    )


def _chosen(chosen: Chosen, found: list[Logged]) -> list[Logged]:
    names = sorted({each.cluster.name for each in found})
    if not found:
        raise StoreError(
            f"{chosen.url}: has no log of ticker; a box with [cluster.log] makes one "
            "(docs/cluster.md)"
        )
    if len(names) > 1:
        raise StoreError(f"{chosen.url}: has logs of {', '.join(names)}; name one by --cluster")
    unknown = set(chosen.feeds) - {each.feed for each in found}
    if unknown:
        there = ", ".join(each.feed for each in found)
        raise StoreError(f"--feed: no log of {', '.join(sorted(unknown))}; there are {there}")
    return [each for each in found if not chosen.feeds or each.feed in chosen.feeds]


def _serve(logs: list[Logged], chosen: Chosen, serving: Serving, since: int, until: int) -> int:
    from ticker.cli.replay.logged import feed_main, feed_of
    from ticker.supervisor.replayed import parse_speed, server_of
    from ticker.supervisor.serve import start

    as_they_were = serving.times == "recorded"
    main = feed_main(
        logs, since, until, speed=parse_speed(serving.speed), as_they_were=as_they_were
    )
    feeds = [
        feed_of(each, chosen.rows, chosen.timezone, as_they_were=as_they_were) for each in logs
    ]
    with tempfile.TemporaryDirectory(prefix="ticker-replay-") as folder:
        config = server_of(load(serving.config), feeds, Path(folder), port=serving.port)
        return start(config, print_line, feed_main=main)


def _show(logs: list[Logged], chosen: Chosen, since: int, until: int, *, as_json: bool) -> None:
    """Play each log to its end and print the final state of its symbols."""
    from ticker.cluster.log.player import LogPlay, LogPlayer

    reports = {}
    for each in logs:
        segment = private_feed(Geometry(rows=chosen.rows), 1, 1)
        started, cpu = time.perf_counter(), time.process_time()
        player = LogPlayer(LogPlay(each, since, until), segment, None)
        asyncio.run(player.run())
        seconds = time.perf_counter() - started
        report = report_of(segment, seconds, time.process_time() - cpu)
        counted = Counters(segment)
        report["log"] = {
            "frames": player.frames,
            "lost_frames": player.lost,
            "ticks": counted["trades"] + counted["quotes"],
            "ticks_per_second": round((counted["trades"] + counted["quotes"]) / seconds),
            "bytes": counted["bytes"],
        }
        reports[each.feed] = report
    if as_json:
        click.echo(msgspec.json.encode(reports).decode())
    for feed, report in reports.items():
        if not as_json:
            said = report["log"]
            click.echo(
                f"{feed}:\n{table_of(report)}\n{said['frames']} frames of the log, "
                f"{said['lost_frames']} missing; {said['ticks']} trades and quotes, "
                f"{said['ticks_per_second']}/s"
            )
