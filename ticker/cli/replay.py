"""`ticker replay`: a capture through the pipeline that `ticker serve` runs, at full speed."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from ticker import units
from ticker.clock import now_ns
from ticker.config import is_file_name
from ticker.config.calendar import NEW_YORK, NONE, calendar_names
from ticker.errors import FeedError
from ticker.feeds.day import EASTERN
from ticker.feeds.json.skips import Skipped
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
from ticker.shm.counters import Counters
from ticker.shm.layout import TRADING_STATUSES
from ticker.shm.rejects import RULES
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import HAS, PriceTable, volume_of
from ticker.supervisor.feeds.calendar import hours_of_capture
from ticker.symbology import SYMBOLOGIES

COLUMNS = (
    "price",
    "size",
    "trades",
    "volume",
    "open",
    "high",
    "low",
    "bid",
    "bid_size",
    "ask",
    "ask_size",
    "previous_close",
    "official_close",
    "extended_price",
    "extended_timestamp",
    "exchange_timestamp",
    "status",
)
AT_TIMES = ("previous_close", "official_close", "extended_price", "extended_timestamp")
"""Columns that the table has only if a symbol has a value in them."""
CAPTURE_COUNTS = ("packets", "datagrams", "cut", "fragments_joined", "without_time")
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
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--protocol", required=True, help="Protocol of the messages: itch50, ...")
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
@click.pass_context
def command(
    context: click.Context,
    file: Path,
    protocol: str,
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
) -> None:
    """Run a capture FILE through the pipeline and print the final state of each symbol.

    Speed is measured over the whole file, reading included. Each run has a fresh segment. Exit
    code 1: no message was usable.
    """
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
        feed_file(pipeline, source)
        seconds = min(seconds, time.perf_counter() - started)
        cpu = min(cpu, time.process_time() - started_cpu)
    report = _report(pipeline, seconds, cpu)
    if isinstance(pipeline.protocol, Json):
        report["skipped"] = [each._asdict() for each in pipeline.protocol.skipped()]
    if isinstance(source, pcap.Capture):
        report["capture"] = source.summary()
    click.echo(msgspec.json.encode(report).decode() if as_json else _table(report))
    useless = sum(report["counters"].get(name, 0) for name in USELESS)
    is_json = isinstance(pipeline.protocol, Json)
    if report["messages"] <= useless or (is_json and not report["symbols"]):
        context.exit(NOTHING_READ)


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


def _report(pipeline: Pipeline, seconds: float, cpu: float) -> dict[str, Any]:
    """The report of `--json`. Prices and fractional sizes are decimal strings; null means none."""
    counts = Counters(pipeline.mapping).as_dict()
    table = PriceTable(pipeline.mapping)
    messages = counts["messages"]
    return {
        "symbols": {table.symbol(row): _row(table, row) for row in range(len(table))},
        "messages": messages,
        "packets": counts["packets"],
        "gaps": counts["gaps"],
        "rejected": {reason: counts[f"rejected_{reason}"] for reason in RULES},
        "seconds": round(seconds, 6),
        "cpu_seconds": round(cpu, 6),
        "messages_per_second": round(messages / seconds) if seconds else 0,
        "counters": {name: value for name, value in counts.items() if value},
    }


def _row(table: PriceTable, row: int) -> dict[str, Any]:
    values = table.values(row)
    assert values is not None, "no process writes this table any more"
    exponent = table.size_exponent(row)
    values["volume"] = volume_of(values)
    shown: dict[str, Any] = {name: values.get(name) for name in COLUMNS}
    for name in HAS.keys() & shown.keys():
        there = values["flags"] & HAS[name]
        shown[name] = units.format_price(values[name]) if there else None
    for name in ("size", "bid_size", "ask_size", "volume"):
        size = units.format_size(values[name], exponent)
        whole = int(size) if size.isdigit() else size
        shown[name] = whole if values[name] or name == "volume" else None
    for name in ("exchange", "extended"):
        time_ns = values[f"{name}_time"]
        shown[f"{name}_timestamp"] = units.format_timestamp(time_ns) if time_ns else None
    shown["status"] = TRADING_STATUSES[values["status"]]
    return shown


def _table(report: dict[str, Any]) -> str:
    """The report as a table: a line per symbol, then the totals."""
    rows = sorted(report["symbols"].items())
    empty = {name for name in AT_TIMES if all(row[name] is None for _, row in rows)}
    columns = [name for name in COLUMNS if name not in empty]
    lines = [["symbol", *columns]]
    for symbol, row in rows:
        lines.append([symbol, *("-" if row[name] is None else str(row[name]) for name in columns)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    text += [
        "",
        f"{report['messages']} messages, {report['packets']} packets, {report['gaps']} gaps",
        f"rejected: {_listed(report['rejected'])}",
        *(Skipped(**skip).said() for skip in report.get("skipped", ())),
        *(_captured(report["capture"]) if "capture" in report else ()),
        f"counters: {_listed(report['counters'])}",
        f"{report['seconds']:.3f} s ({report['cpu_seconds']:.3f} s of CPU), "
        f"{report['messages_per_second']} messages/s",
    ]
    return "\n".join(text)


def _captured(capture: dict[str, Any]) -> list[str]:
    """The counts of a packet capture: packets read, and packets skipped by reason."""
    counts = {name.replace("_", " "): capture[name] for name in CAPTURE_COUNTS}
    text = [f"capture: {_listed(counts)}", f"not read: {_listed(capture['not_read'])}"]
    if capture["truncated"]:
        text.append("the file ends inside a packet, or is damaged there")
    if capture["error"]:
        text.append(f"reading stopped: {capture['error']}")
    return text


def _listed(counts: dict[str, int]) -> str:
    """The counts above 0, each with its name."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
