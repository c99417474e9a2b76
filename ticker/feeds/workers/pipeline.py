"""The pipeline of one feed from bytes to shared memory: session, protocol, market.

`ticker serve` and `ticker replay` both run the pipeline of `build`; they differ in the source of
the bytes and in the owner of the segment.

Law: protocols, sessions and transports are found by their file's name. There is no list of them.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ticker.config import is_file_name
from ticker.config.calendar import NEW_YORK
from ticker.config.filter import FilterConfig
from ticker.errors import FeedError
from ticker.feeds.day import EASTERN, DayWatch, midnight_ns, session_day
from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol
from ticker.feeds.session import Session
from ticker.feeds.transports import binaryfile, pcap
from ticker.feeds.transports.pcap import Capture
from ticker.feeds.workers.known import modules
from ticker.shm.counters import Counters
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import Mapping
from ticker.shm.table import PriceTable
from ticker.shm.timetable import Hours
from ticker.symbology import default_symbology

Blocks = Callable[[Path], Iterable[tuple[bytes, int, int]]]
"""The type of a file transport's `blocks`: from a path to (bytes, receive time, line) of each
block."""

Part = TypeVar("Part")

CAPTURE_MAGICS = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")
)  # fmt: skip
"""The first bytes of pcap (either byte order, µs and ns) and pcapng files."""

EPOCH = date(1970, 1, 1)
FIRST_DAYS = 2 * 86_400 * 1_000_000_000
"""ns since the epoch; no market's own time is before it."""

NO_OPTIONS: Mapping_[str, Any] = {}
CAPTURE_RULES = FilterConfig(max_ahead=0, max_behind=0)
"""For a capture: its receive times come from an unknown clock."""


@dataclass(frozen=True)
class Pipeline:
    """The parts of one feed. Bytes go into `session`; `market.publish` publishes the result."""

    mapping: Mapping
    market: Market
    protocol: Protocol
    session: Session


def build(
    mapping: Mapping,
    protocol: str,
    session: str | None,
    day: date,
    *,
    venue: str = "",
    currency: str = "USD",
    timezone: str = EASTERN,
    raw: bool = False,
    ringer: DoorbellRinger | None = None,
    session_options: Any = None,
    protocol_options: Mapping_[str, Any] = NO_OPTIONS,
    size_exponent: int = 0,
    symbology: str | None = None,
    rules: FilterConfig = CAPTURE_RULES,
) -> Pipeline:
    """The pipeline of a protocol and a session, both by name, into the segment of `mapping`.

    Without a session the protocol's usual one is used. `day` is the session date of times of day.
    `session_options` goes to the session unchanged, `protocol_options` to the protocol as keywords.
    Sizes are in 10^-size_exponent units. Without a symbology the protocol's usual one is used;
    `raw` keeps symbols in the venue's spelling. `rules` are the filter's.

    Raises:
        FeedError: no such protocol or session; the message lists the known ones.
    """
    protocol_class = load_protocol(protocol)
    session_class = load_session(session or default_session(protocol))
    market = Market(
        mapping,
        venue=venue,
        currency=currency,
        ringer=ringer,
        raw=raw,
        max_price=protocol_class.max_price,
        size_exponent=size_exponent,
        symbology="none" if raw else symbology or default_symbology(protocol),
        timezone=timezone,
        rules=rules,
    )
    decoder = protocol_class(market, midnight_ns=midnight_ns(day, timezone), **protocol_options)
    options = () if session_options is None else (session_options,)
    return Pipeline(mapping, market, decoder, session_class(decoder, mapping, *options))


def follow_days(pipeline: Pipeline, timezone: str = EASTERN, *, by_receive_time: bool) -> None:
    """Let the pipeline begin each day of the time zone after its own: with the first trade of the
    day and, if receive times are the market's, at midnight."""
    protocol = pipeline.protocol
    watch = DayWatch(protocol, protocol.midnight_ns, timezone)
    pipeline.market.follow(watch, by_receive_time=by_receive_time)


def follow_tape(pipeline: Pipeline, calendar: str, hours: Hours) -> None:
    """Let the calendar's regular hours decide about extended hours, and, in the United States,
    round lots about odd lots, where the feed does not mark them."""
    pipeline.market.follow_tape(
        hours, unmarked=not pipeline.protocol.marks_trades, round_lots=calendar == NEW_YORK
    )


def load_protocol(name: str) -> type[Protocol]:
    """The decoder class of ticker/feeds/protocols/<name>, or of the file that `name` ends in .py
    or .so for. Raises FeedError."""
    if is_file_name(name):
        return _class_in(_file_module(Path(name)), Protocol)
    return _load("protocols", name, Protocol)


def default_session(protocol: str) -> str:
    """The usual session of a protocol.

    Raises:
        FeedError: no such protocol, or it names no session.
    """
    session = load_protocol(protocol).session
    if not session:
        known = ", ".join(modules("sessions"))
        raise FeedError(f"protocol {protocol!r} has no session of its own; name one of: {known}")
    return session


def session_of_file(protocol: str, path: Path) -> str:
    """The session of a file: the protocol's usual one; or `binaryfile`, if that one needs a packet
    capture and the file is none.

    Raises:
        FeedError: no such protocol, or it names no session; the file cannot be read.
    """
    session = default_session(protocol)
    if file_blocks(session) is not pcap.blocks:
        return session
    for start, _, _ in binaryfile.blocks(path):
        return session if start[:4] in CAPTURE_MAGICS else "binaryfile"
    return session


def load_session(name: str) -> type[Session]:
    """The session class of ticker/feeds/sessions/<name>. Raises FeedError."""
    return _load("sessions", name, Session)


def file_blocks(session: str) -> Blocks:
    """The reader of files for this session: the transport of the same name if there is one
    (`binaryfile`), else that of packet captures. Raises FeedError: no such session."""
    load_session(session)
    package = "ticker.feeds.transports"
    name = session if find_spec(f"{package}.{session}") else "pcap"
    blocks: Blocks = importlib.import_module(f"{package}.{name}").blocks
    return blocks


def feed_file(pipeline: Pipeline, blocks: Iterable[tuple[bytes, int, int]]) -> None:
    """Run all blocks through a pipeline, publish after each, and end the session."""
    if isinstance(blocks, Capture):
        blocks.replay(pipeline.session)
        return
    receive = pipeline.session.receive_data
    publish = pipeline.market.publish
    receive_time = 0
    for block, receive_time, line in blocks:
        receive(block, line, receive_time)
        publish(receive_time)
    pipeline.session.end_of_data(receive_time)
    publish(receive_time)


def capture_day(
    path: Path, blocks: Blocks, probe: Pipeline, timezone: str = EASTERN
) -> date | None:
    """The calendar day in `timezone` of a file's first message with a price, or of its first block
    if no message has one; None for a packet capture without readable packets.

    `probe` reads the file up to there; it is a pipeline of the day EPOCH in the time zone UTC.

    Raises:
        FeedError: the file is empty, or has no capture times.
    """
    source = blocks(path)
    first = None
    for block, receive_time, line in source:
        first = first or receive_time
        probe.session.receive_data(block, line, receive_time)
        probe.market.publish(receive_time)
        if time := _first_price(probe.mapping):
            # Times of day are small numbers in 1970.
            first = receive_time if time < FIRST_DAYS else time
            break
    if first:
        return session_day(first, timezone)
    if first is None:
        if isinstance(source, Capture) and source.packets:
            return None
        raise FeedError(f"{path}: is empty; name a capture")
    raise FeedError(
        f"{path}: its packets have no time of capture; name the day of the session, like "
        "--date 2026-03-29"
    )


def _first_price(mapping: Mapping) -> int:
    """The exchange time of the first price that a pipeline published, ns, 0: none yet."""
    counters = Counters(mapping)
    if not counters["trades"] and not counters["quotes"]:
        return 0
    table = PriceTable(mapping)
    rows = [table.values(row) or {} for row in range(len(table))]
    times = (row.get(name, 0) for row in rows for name in ("open_time", "quote_time"))
    return min((time for time in times if time > 0), default=0)


def _load(folder: str, name: str, base: type[Part]) -> type[Part]:
    package = f"ticker.feeds.{folder}"
    if not name.isidentifier() or not find_spec(f"{package}.{name}"):
        known = ", ".join(modules(folder))
        raise FeedError(f"no {folder[:-1]} {name!r}; known: {known}")
    return _class_in(importlib.import_module(f"{package}.{name}"), base)


def _file_module(path: Path) -> ModuleType:
    """A file of the user's own as a module; once per process. Raises FeedError."""
    name = f"ticker_protocols.{path.name.split('.')[0]}"
    module = sys.modules.get(name)
    if module is not None and module.__file__ == str(path.absolute()):
        return module
    spec = spec_from_file_location(name, path.absolute())
    if spec is None or spec.loader is None:
        raise FeedError(f"{path}: not a module of this Python; name a .py or compiled .so file")
    try:
        module = sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise FeedError(f"{path}: {type(error).__name__}: {error}") from error
    return module


def _class_in(module: ModuleType, base: type[Part]) -> type[Part]:
    """The subclass of `base` that a module defines itself. (A compiled one, loaded from a file,
    has its classes under its bare name.)"""
    for _, found in inspect.getmembers(module, inspect.isclass):
        home = found.__module__.rpartition(".")[2]
        if issubclass(found, base) and home == module.__name__.rpartition(".")[2]:
            return found
    raise FeedError(f"{module.__file__}: defines no {base.__name__}")
