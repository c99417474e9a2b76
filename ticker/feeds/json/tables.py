"""The tables and keys of a mapping file, as types; docs/json-mappings.md explains them.

mapping.py reads them; problems.py has the further checks.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ticker.errors import ConfigError

TIME_UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Decimal digits after a second in each unit; `iso` is RFC 3339."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a mapping file."""


Text = str | int | bool
Paths = str | Annotated[tuple[str, ...], Meta(min_length=1, max_length=4)]
Table = Literal["cta", "utp", "polygon", "fix", "iex"]
Decimals = Annotated[int, Meta(ge=0, le=9)]
Scale = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Sentinels = tuple[str | int, ...]
Message = dict[str, Any] | str


class Present(_Table, frozen=True, kw_only=True):
    """A condition: whether the field is present and not null."""

    present: bool


Test = Text | tuple[Text, ...] | Present


class Side(_Table, frozen=True, kw_only=True):
    """The path of a level's side, and the values of each side."""

    path: str
    bid: tuple[str, ...]
    ask: tuple[str, ...]


class Status(_Table, frozen=True, kw_only=True):
    """The path of a trading state, and the values of each; any other value is skipped."""

    path: str
    trading: tuple[str, ...] = ()
    halted: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    quote_only: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


class Conditions(_Table, frozen=True, kw_only=True):
    """The path of a trade's sale conditions (an array, or one text), and the figures that each does
    not update: by a table of the consolidated tapes in that coding (conditions.pyx), and by the
    lists here. `tape` is the path of a record's tape, and `tapes` has the coding of each tape."""

    path: str
    table: Table | None = None
    tape: str | None = None
    tapes: dict[str, Table] = {}
    not_last: tuple[str, ...] = ()
    not_range: tuple[str, ...] = ()
    not_volume: tuple[str, ...] = ()


class Checksum(_Table, frozen=True, kw_only=True):
    """The path of a book's checksum, and the method of the vendor."""

    path: str
    method: Literal["kraken"]


class Record(_Table, frozen=True, kw_only=True):
    """One kind of record: its path, its conditions, and the paths of its fields.

    A field with several paths has the first value that is present and not null. A key that is None
    has the value of the whole mapping.
    """

    name: str
    kind: Literal[
        "trade", "last", "quote", "level", "clear", "status", "break", "correct", "close", "error",
        "ping", "alive",
    ]  # fmt: skip
    path: str = ""
    where: dict[str, Test] = {}
    symbol: Paths = ()
    price: Paths = ()
    price_decimals: Decimals | None = None
    price_scale: Scale | None = None
    price_none: Sentinels | None = None
    size: Paths = ()
    size_factor: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size_factor_until: date | None = None
    time: Paths = ()
    time_unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    time_format: str | None = None
    time_zone: str | None = None
    id: Paths = ()
    id_parts: Annotated[tuple[str, ...], Meta(max_length=4)] = ()
    new_id: Paths = ()
    venue: Paths = ()
    conditions: Conditions | None = None
    sequence: Paths = ()
    sequence_gaps: bool = False
    bid: Paths = ()
    bid_size: Paths = ()
    ask: Paths = ()
    ask_size: Paths = ()
    side: Literal["bid", "ask"] | Side | None = None
    depth: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    checksum: Checksum | None = None
    status: Status | None = None
    text: Paths = ()
    answer: Message | None = None


class Stream(_Table, frozen=True, kw_only=True):
    """The messages to send on a connection; transports/dialogue.py fills them in."""

    auth: Message | None = None
    auth_ok: dict[str, Text] = {}
    auth_failed: dict[str, Text] = {}
    subscribe: tuple[Message, ...] = ()
    subscribe_batch: Annotated[int, Meta(ge=1, le=100_000)] = 500
    book_again: tuple[Message, ...] = ()
    ping: Message | None = None
    compression: Literal["auto", "none", "deflate"] = "auto"


class Mapping(_Table, frozen=True, kw_only=True):
    """A mapping file."""

    description: str = ""
    symbology: str | None = None
    size_decimals: Decimals = 0
    price_decimals: Decimals | None = None
    price_scale: Scale | None = None
    price_none: Sentinels = ()
    time_zone: str | None = None
    sequence: str | None = None
    records: Annotated[tuple[Record, ...], Meta(min_length=1, max_length=32)]
    stream: Stream = Stream()


KEYS = sorted(
    {
        field.encode_name
        for table in (Mapping, Record, Conditions, Side, Status, Checksum, Stream, Present)
        for field in msgspec.structs.fields(table)
    }
)
"""The keys of all tables of a mapping."""


def scale_decimals(scale: int) -> int:
    """The decimals of integer prices: `scale` itself, or the zeros of a power of ten.

    Raises:
        ConfigError: `scale` is neither.
    """
    if scale < 10:
        return scale
    zeros = len(str(scale)) - 1
    if scale != 10**zeros:
        raise ConfigError(f"{scale}: neither a count of decimals (0 to 9) nor a power of ten")
    return zeros


def paths(field: Paths) -> tuple[str, ...]:
    """The paths of a field, in the order in which they are tried."""
    return (field,) if isinstance(field, str) else field
