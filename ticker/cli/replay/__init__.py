"""`ticker replay`: a capture through the pipeline that `ticker serve` runs, at full speed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from ticker.cli.replay import logs, recording
from ticker.cli.replay.recording import Block
from ticker.cli.replay.report import report_of, table_of
from ticker.clock import now_ns
from ticker.config import is_file_name
from ticker.config.calendar import NEW_YORK, NONE, calendar_names
from ticker.errors import FeedError
from ticker.feeds.day import EASTERN
from ticker.feeds.protocols.json import Json
from ticker.feeds.transports import pcap
from ticker.feeds.workers.known import advice, mappings, modules
from ticker.feeds.workers.mappings import load_mapping, options_of
from ticker.feeds.workers.pipeline import (
    CAPTURE_RULES,
    EPOCH,
    Blocks,
    Pipeline,
    build,
    capture_day,
    feed_file,
    file_blocks,
    follow_days,
    follow_tape,
    session_of_file,
)
from ticker.shm.segment import Geometry, private_feed
from ticker.supervisor.feeds.calendar import hours_of_capture
from ticker.symbology import SYMBOLOGIES

NOTHING_READ = 1
"""The exit code when no message was usable."""
USELESS = ("unknown_types", "short_messages", "refused_messages", "bad_messages")
"""Counters of messages that were not read in full."""


class Replay(click.Command):
    """The command; for an unreadable file it exits with the code for "nothing usable"."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FeedError as error:
            error.exit_code = NOTHING_READ
            raise


@click.command(cls=Replay)
@click.argument("file", type=logs.SourceType())
@click.option("--protocol", help="Protocol of the messages: itch50, ...")
@click.option("--session", help="Session that carries the messages.  [default: by the protocol]")
@click.option("--mapping", "mapping_name", help="Mapping for JSON: polygon, ..., or a .toml file.")
@click.option("--size-decimals", type=click.IntRange(0, 18), help="For FIX: decimals of sizes.")
@click.option(
    "--price-decimals", type=click.IntRange(0, 9), help="For FIX: decimals to round prices to."
)
@click.option("--symbol", help="For JSON without symbols: the symbol of all messages.")
@click.option(
    "--symbology",
    type=click.Choice(SYMBOLOGIES),
    help="How the symbols are written; default: as the mapping or the protocol says.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="A[,B]",
    help="ADDR:PORT of a channel's lines, once for each channel; only their packets are read.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--raw", is_flag=True, help="Count every printable trade, without filter and breaks.")
@click.option("--negative-prices", is_flag=True, help="Accept prices of 0 and below.")
@click.option("--test-issues", is_flag=True, help="Count trades of test issues, too.")
@click.option(
    "--repeat", default=1, type=click.IntRange(1), help="Number of runs; the fastest is reported."
)
@click.option("--date", "day", help="Session date, YYYY-MM-DD.  [default: the capture's day]")
@click.option(
    "--timezone",
    default=EASTERN,
    show_default=True,
    callback=lambda _, __, name: _timezone(name),
    help="The venue's own.",
)
@click.option(
    "--calendar",
    help=f'Calendar of regular hours; default: {NEW_YORK} in {EASTERN}, else "{NONE}".',
)
@click.option("--rows", default=16_384, type=click.IntRange(1), help="Symbols at most.")
@recording.options
@logs.options
@click.pass_context
def command(
    context: click.Context,
    /,
    file: Path | str,
    protocol: str | None,
    session: str | None,
    mapping_name: str | None,
    size_decimals: int | None,
    price_decimals: int | None,
    symbol: str | None,
    symbology: str | None,
    channels: tuple[str, ...],
    as_json: bool,
    raw: bool,
    negative_prices: bool,
    test_issues: bool,
    repeat: int,
    day: str | None,
    timezone: str,
    calendar: str | None,
    rows: int,
    serve: bool,
    faults: str | None,
    seed: int,
    output: Path | None,
    until: str | None,
    cluster: str | None,
    log_feeds: tuple[str, ...],
    **served: Any,
) -> None:
    """Run a capture FILE through the pipeline and print the final state of each symbol.

    FILE may be a folder of recordings, too, or the address of a bus with a log, like
    nats://HOST:PORT. Speed is measured over the whole file, reading included. Each run has a fresh
    segment. Exit code 1: no message was usable.
    """
    serving = recording.Serving(faults=faults, seed=seed, **served)
    if isinstance(file, str):
        chosen = logs.Chosen(file, until, cluster, log_feeds, rows, timezone)
        context.exit(logs.run(chosen, serving, serve=serve, as_json=as_json))
    if recording.is_recording(file):
        if serve:
            context.exit(recording.serve(recording.read(file), serving))
        _show(file, faults, seed, as_json=as_json)
        return
    if protocol is None:
        raise click.UsageError("Missing option '--protocol': what the messages of a capture are")
    _check_name("--protocol", protocol, "protocols")
    _check_name("--session", session, "sessions")
    if protocol == "json" and mapping_name is None:
        raise click.UsageError(
            f"JSON needs a mapping: --mapping {', '.join(mappings())}, or a file"
        )
    rules = msgspec.structs.replace(
        CAPTURE_RULES, test_symbols=not test_issues, negative_prices=negative_prices
    )
    options: dict[str, Any] = {"rules": rules, "symbology": symbology}
    if mapping_name is not None:
        json_mapping = load_mapping(mapping_name)
        options |= options_of(json_mapping)
        options["symbology"] = symbology or json_mapping.symbology
    if size_decimals is not None or price_decimals is not None:
        if protocol != "fix":
            raise FeedError("--size-decimals, --price-decimals: only for FIX")
        options["protocol_options"] = {"price_decimals": price_decimals}
        options["size_exponent"] = size_decimals or 0
    calendar = _calendar(calendar, timezone)
    session = session or session_of_file(protocol, file)
    blocks = _of_channels(session, channels) if channels else file_blocks(session)

    def make(day: date, timezone: str) -> Pipeline:
        mapping = private_feed(Geometry(rows=rows), 1, now_ns())
        made = build(mapping, protocol, session, day, timezone=timezone, raw=raw, **options)
        if symbol is not None:
            _asked_for(made, symbol)
        if calendar is not None and not raw:
            follow_tape(made, calendar, hours_of_capture(calendar, timezone))
        return made

    session_date = _parse_date(day) if day else _day_of(file, blocks, make(EPOCH, "UTC"), timezone)
    seconds = cpu = float("inf")
    for _ in range(repeat):
        pipeline = make(session_date, timezone)
        started, started_cpu = time.perf_counter(), time.process_time()
        source = blocks(file)
        if not day:
            follow_days(pipeline, timezone, by_receive_time=isinstance(source, pcap.Capture))
        packets: Iterable[Block] = source
        if faults is not None:
            if not isinstance(source, pcap.Capture):
                raise click.UsageError("--faults: only for packet captures and recordings")
            packets = recording.with_faults(source, faults, timezone, seed)
        if output is None and not serve:
            feed_file(pipeline, packets)
        else:
            _record(context, pipeline, packets, output, serving if serve else None, timezone)
        seconds = min(seconds, time.perf_counter() - started)
        cpu = min(cpu, time.process_time() - started_cpu)
    report = report_of(pipeline.mapping, seconds, cpu)
    if isinstance(pipeline.protocol, Json):
        report["skipped"] = [each._asdict() for each in pipeline.protocol.skipped()]
    if isinstance(source, pcap.Capture):
        report["capture"] = source.summary()
    click.echo(msgspec.json.encode(report).decode() if as_json else table_of(report))
    useless = sum(report["counters"].get(name, 0) for name in USELESS)
    is_json = isinstance(pipeline.protocol, Json)
    if report["messages"] <= useless or (is_json and not report["symbols"]):
        context.exit(NOTHING_READ)


def _record(
    context: click.Context,
    pipeline: Pipeline,
    packets: Iterable[Block],
    output: Path | None,
    serving: recording.Serving | None,
    timezone: str,
) -> None:
    """Record a capture; and serve the recording, if that is wanted."""
    with ExitStack() as stack:
        folder = output or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ticker-replay-"))
        )
        name = pipeline.protocol.__class__.__name__.lower()
        recording.record(pipeline, packets, folder, name, timezone)
        if serving is not None:
            # The packets had the faults already.
            once = replace(serving, faults=None)
            context.exit(recording.serve(recording.read(folder), once))


def _show(path: Path, faults: str | None, seed: int, *, as_json: bool) -> None:
    """Play each recording to its end and print the final state of its symbols."""
    reports = {}
    for each in recording.read(path):
        started, cpu = time.perf_counter(), time.process_time()
        segment = recording.played(each, faults, seed)
        seconds = time.perf_counter() - started
        reports[each.feed] = report_of(segment, seconds, time.process_time() - cpu)
    if as_json:
        click.echo(msgspec.json.encode(reports).decode())
    for feed, report in reports.items():
        if not as_json:
            click.echo(f"{feed}:\n{table_of(report)}")


def _check_name(option: str, name: str | None, folder: str) -> None:
    """Refuse a protocol or session that does not exist, as wrong usage."""
    if name is None or is_file_name(name) or name in (known := modules(folder)):
        return
    raise click.BadParameter(f"there is no {name!r}; {advice(name, known)}", param_hint=option)


def _asked_for(pipeline: Pipeline, symbol: str) -> None:
    if not isinstance(pipeline.protocol, Json):
        raise click.UsageError("--symbol: only for JSON by a mapping")
    pipeline.protocol.asked_for(symbol)


def _of_channels(session: str, channels: tuple[str, ...]) -> Blocks:
    """Restrict the session to the packets of these channels' lines."""
    if file_blocks(session) is not pcap.blocks:
        raise click.UsageError(f"--channel: only for packet captures, not for files of {session}")
    pairs = [channel.split(",") for channel in channels]
    return lambda path: pcap.blocks(path, pairs)


def _day_of(file: Path, blocks: Blocks, probe: Pipeline, timezone: str) -> date:
    """The day of a capture; for one without messages the epoch, so that its counts are shown."""
    return capture_day(file, blocks, probe, timezone) or EPOCH


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise click.BadParameter(f"no time zone {name!r} here; take one like {EASTERN}") from None
    return name


def _calendar(name: str | None, timezone: str) -> str | None:
    if name is None:
        return NEW_YORK if timezone == EASTERN else None
    if name != NONE and name not in (known := calendar_names()):
        raise click.BadParameter(
            f"there is no {name!r}; {advice(name, sorted(known))}", param_hint="--calendar"
        )
    return None if name == NONE else name


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a date, like 2026-03-29", param_hint="--date"
        ) from None
