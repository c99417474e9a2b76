"""A mapping: where in a vendor's JSON texts symbol, price, size and time are. TOML in, checked.

Files are read by feeds/workers/mappings.py. What the keys mean is in docs/json-mappings.md;
ticker/feeds/protocols/json.pyx does what they say.

Paths are names with dots between them, from a record on:

    a.b        member b of member a            a.0        element 0 of the array a
    $.a        from the text's own top         ^.a        from one level further up (^^: two)
    @key       the name that this record (or with ^, an outer one) has in its object
    @request   only of a symbol: the one that the text was asked for (`${symbol}` in the url)
    'a.b'      a name with a dot in it

and in a record's own `path` also what makes many records out of one text:

    a[]        each element of the array a     a[]?       the same, or a itself if it is no array
    a{}        each member of the object a
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ticker.errors import ConfigError

MAX_STEPS = 8
MAX_SPREADS = 5
TIME_UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Decimal digits after a second in each unit; `iso` is RFC 3339."""

KEY, EACH, EACH_OR_SELF, MEMBERS = range(4)
"""What a step does."""
ROOT = -1

_STEP = re.compile(r"\.?(?:(\[\]\??)|(\{\})|'([^']+)'|([^.\[\]{}'@^$]+))")
_START = re.compile(r"(\$)|(\^+)")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a mapping file."""


class Present(_Table, frozen=True, kw_only=True):
    """A condition: the field is there and not null, or it is not."""

    present: bool


class Side(_Table, frozen=True, kw_only=True):
    """Where the side of a level is, and how each is written."""

    path: str
    bid: tuple[str, ...]
    ask: tuple[str, ...]


class Status(_Table, frozen=True, kw_only=True):
    """Where a trading state is, and how each is written; any other is skipped."""

    path: str
    trading: tuple[str, ...] = ()
    halted: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    quote_only: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


class Conditions(_Table, frozen=True, kw_only=True):
    """Where a trade's sale conditions are (one, or an array), and what each keeps it from: as
    the consolidated tapes' table has it in that coding (conditions.pyx), and as said here."""

    path: str
    table: Literal["cta", "utp", "polygon", "fix", "iex"] | None = None
    not_last: tuple[str, ...] = ()
    not_range: tuple[str, ...] = ()
    not_volume: tuple[str, ...] = ()


Text = str | int | bool
Paths = str | Annotated[tuple[str, ...], Meta(min_length=1, max_length=4)]
Test = Text | tuple[Text, ...] | Present


class Record(_Table, frozen=True, kw_only=True):
    """One kind of record: where it is, when it counts, where its fields are.

    A field with several paths is the first of them that is there and not null.
    """

    name: str
    kind: Literal["trade", "last", "quote", "level", "clear", "status", "break", "correct", "close"]
    path: str = ""
    where: dict[str, Test] = {}
    symbol: Paths
    price: Paths = ()
    size: Paths = ()
    time: Paths = ()
    time_unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    id: Paths = ()
    venue: Paths = ()
    conditions: Conditions | None = None
    sequence: Paths = ()
    sequence_gaps: bool = False
    bid: Paths = ()
    bid_size: Paths = ()
    ask: Paths = ()
    ask_size: Paths = ()
    side: Literal["bid", "ask"] | Side | None = None
    status: Status | None = None
    size_factor: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


Message = dict[str, Any] | str


class Stream(_Table, frozen=True, kw_only=True):
    """What to say on a connection: transports/dialogue.py says how it is filled in."""

    auth: Message | None = None
    auth_ok: dict[str, Text] = {}
    auth_failed: dict[str, Text] = {}
    subscribe: tuple[Message, ...] = ()
    subscribe_batch: Annotated[int, Meta(ge=1, le=100_000)] = 500
    ping: Message | None = None


class Mapping(_Table, frozen=True, kw_only=True):
    """A mapping file."""

    description: str = ""
    size_decimals: Annotated[int, Meta(ge=0, le=9)] = 0
    sequence: str | None = None
    records: Annotated[tuple[Record, ...], Meta(min_length=1, max_length=32)]
    stream: Stream = Stream()


@dataclass(frozen=True)
class Step:
    """One step of a path; `index` is that of an array's element, -1: `name` is no number."""

    kind: int
    name: str = ""
    index: int = -1


@dataclass(frozen=True)
class Route:
    """A path, read. `up`: how many levels above the record it starts, or ROOT."""

    up: int
    key: bool
    steps: tuple[Step, ...]
    request: bool = False

    @property
    def depth(self) -> int:
        """Levels from the top to a record at this path: one for each [] or {}, and its own."""
        own = bool(self.steps) and self.steps[-1].kind == KEY
        return sum(step.kind != KEY for step in self.steps) + own


# What a record of each kind must have beside its symbol.
_NEEDS: dict[str, tuple[str, ...]] = {
    "trade": ("price",),
    "last": ("price",),
    "quote": (),
    "level": ("side", "price", "size"),
    "clear": (),
    "status": ("status",),
    "break": ("id",),
    "correct": ("id", "price", "size"),
    "close": ("price",),
}


def parse_mapping(text: str) -> Mapping:
    """The mapping that a TOML text says. Raises ConfigError."""
    try:
        mapping = msgspec.convert(tomllib.loads(text), Mapping, strict=True)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    except RecursionError:
        raise ConfigError("not TOML that can be read: nested too deeply") from None
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").lstrip(".") or "the mapping"
        raise ConfigError(f"{path}: {what[0].lower()}{what[1:]}") from None
    problems = list(_problems(mapping))
    if problems:
        raise ConfigError("; ".join(problems))
    return mapping


def paths(field: Paths) -> tuple[str, ...]:
    """The paths of a field, in the order in which they are tried."""
    return (field,) if isinstance(field, str) else field


def read_path(text: str, *, many: bool = False) -> Route:
    """A path as its steps; `many`: it may make several records out of one text.

    Raises:
        ConfigError: it is none.
    """
    if text == "@request":
        return Route(0, False, (), request=True)
    up, key, rest = 0, False, text
    if start := _START.match(rest):
        up = ROOT if start[1] else len(start[2])
        rest = rest[start.end() :]
    if rest == "@key" or rest == ".@key":
        if up == ROOT or many:
            raise ConfigError(f"{text!r}: only a record or an outer one has a @key")
        return Route(up, True, ())
    steps = []
    while rest:
        found = _STEP.match(rest)
        if not found or (found[0][0] == "." and len(rest) == len(text)):
            raise ConfigError(f"{text!r}: no path, like a.b.0 or data[]; see docs/json-mappings.md")
        steps.append(_step(found))
        rest = rest[found.end() :]
    if len(steps) > MAX_STEPS:
        raise ConfigError(f"{text!r}: more than {MAX_STEPS} steps")
    spread = sum(step.kind != KEY for step in steps)
    if spread and not many:
        raise ConfigError(f"{text!r}: [] and {{}} only where records are, not in a field")
    if spread > MAX_SPREADS or (many and up):
        raise ConfigError(f"{text!r}: a record's path starts at the top, with 5 [] or {{}} at most")
    return Route(up, key, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    each, members, quoted, name = found.groups()
    if each:
        return Step(EACH_OR_SELF if each.endswith("?") else EACH)
    if members:
        return Step(MEMBERS)
    if name and name.isascii() and name.isdigit() and len(name) < 10:
        return Step(KEY, name, int(name))
    return Step(KEY, quoted or name)


def _problems(mapping: Mapping) -> Iterator[str]:
    """What the types cannot say."""
    if mapping.sequence is not None:
        yield from _path_problem("sequence", mapping.sequence)
    names: set[str] = set()
    for index, record in enumerate(mapping.records):
        where = f"records[{index}]"
        if record.name in names:
            yield f"{where}.name: {record.name!r} is the name of another record too"
        names.add(record.name)
        yield from (f"{where}.{problem}" for problem in _record_problems(record))


def _record_problems(record: Record) -> Iterator[str]:
    for need in _NEEDS[record.kind]:
        if not getattr(record, need):
            yield f"{need}: a record of kind {record.kind!r} must say where it is"
    if record.kind == "quote" and not (record.bid or record.ask):
        yield "bid: a quote must say where its bid or its ask is"
    problems = list(_path_problem("path", record.path, many=True))
    yield from problems
    depth = MAX_SPREADS if problems else read_path(record.path, many=True).depth
    for field, text in _field_paths(record):
        problems = list(_path_problem(field, text))
        yield from problems
        if text == "@request" and field != "symbol":
            yield f"{field}: '@request' is the symbol that was asked for, and nothing else"
        if not problems and read_path(text).up > depth:
            yield f"{field}: {text!r} goes up further than {record.path!r} goes down"


def _field_paths(record: Record) -> Iterator[tuple[str, str]]:
    """Every field of a record with each of its paths."""
    for field in (
        "symbol", "price", "size", "time", "id", "venue", "sequence", "bid", "bid_size", "ask",
        "ask_size",
    ):  # fmt: skip
        for text in paths(getattr(record, field)):
            yield field, text
    for text in record.where:
        yield "where", text
    for field in ("conditions", "side", "status"):
        table = getattr(record, field)
        if isinstance(table, (Conditions, Side, Status)):
            yield f"{field}.path", table.path


def _path_problem(field: str, text: str, *, many: bool = False) -> Iterator[str]:
    try:
        read_path(text, many=many)
    except ConfigError as error:
        yield f"{field}: {error}"
