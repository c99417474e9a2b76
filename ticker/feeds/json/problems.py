"""The checks of a mapping beyond its types: each fault has the key, and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ticker.errors import ConfigError
from ticker.feeds.json.paths import MAX_SPREADS, read_path
from ticker.feeds.json.tables import (
    Checksum,
    Conditions,
    Mapping,
    Record,
    Side,
    Status,
    paths,
    scale_decimals,
)
from ticker.feeds.json.times import TimeZone, pattern_problem
from ticker.symbology import SYMBOLOGIES

# Keys that a record of each kind must have.
_NEEDS: dict[str, tuple[str, ...]] = {
    "trade": ("symbol", "price"),
    "last": ("symbol", "price"),
    "quote": ("symbol",),
    "level": ("symbol", "side", "price", "size"),
    "clear": ("symbol",),
    "status": ("symbol", "status"),
    "break": ("symbol", "id"),
    "correct": ("symbol", "id", "price", "size"),
    "close": ("symbol", "price"),
    "error": (),
    "ping": ("answer",),
    "alive": (),
}
# Keys that only some kinds may have.
_ONLY: dict[str, tuple[str, ...]] = {
    "new_id": ("correct",),
    "depth": ("level",),
    "checksum": ("level",),
    "text": ("error",),
    "answer": ("ping",),
}
FIELDS = (
    "symbol", "price", "size", "time", "id", "id_parts", "new_id", "venue", "sequence", "bid",
    "bid_size", "ask", "ask_size", "text",
)  # fmt: skip
MAX_TAPES = 8
_REPEATED = re.compile(r"\$\{([^{}]*)\}")


def problems_of(mapping: Mapping) -> Iterator[str]:
    """The faults of a mapping beyond its types."""
    if mapping.sequence is not None:
        yield from _path_problem("sequence", mapping.sequence)
    if mapping.symbology is not None and mapping.symbology not in SYMBOLOGIES:
        yield f"symbology: {mapping.symbology!r} is none of {', '.join(SYMBOLOGIES)}"
    yield from _price_problems(mapping)
    yield from _zone_problem(mapping.time_zone)
    names: set[str] = set()
    for index, record in enumerate(mapping.records):
        where = f"records[{index}]"
        if record.name in names:
            yield f"{where}.name: {record.name!r} is the name of another record too"
        names.add(record.name)
        yield from (f"{where}.{problem}" for problem in _record_problems(record, mapping))


def _record_problems(record: Record, mapping: Mapping) -> Iterator[str]:
    for need in _NEEDS[record.kind]:
        if not getattr(record, need):
            yield f"{need}: a record of kind {record.kind!r} must say where it is"
    for key, kinds in _ONLY.items():
        if getattr(record, key) and record.kind not in kinds:
            yield f"{key}: only of a record of kind {' or '.join(kinds)}, not {record.kind}"
    if record.kind == "quote" and not (record.bid or record.ask):
        yield "bid: a quote must say where its bid or its ask is"
    if record.id_parts and not record.id:
        yield "id_parts: what further tells trades apart; say with `id` what does first"
    if record.checksum is not None and record.depth is None:
        yield "checksum: it is of a book of some depth; say with `depth` how deep it is sent"
    yield from _price_problems(record)
    yield from _time_problems(record, mapping)
    yield from _tape_problems(record)
    yield from _answer_problems(record.answer)
    yield from _path_problems(record)


def _price_problems(table: Mapping | Record) -> Iterator[str]:
    if table.price_scale is None:
        return
    if table.price_decimals is not None:
        yield "price_scale: not together with price_decimals; integer prices have no finer digits"
    try:
        scale_decimals(table.price_scale)
    except ConfigError as error:
        yield f"price_scale: {error}"


def _time_problems(record: Record, mapping: Mapping) -> Iterator[str]:
    yield from _zone_problem(record.time_zone)
    if record.time_format is not None:
        if record.time_unit != "iso":
            yield f"time_format: not together with time_unit = {record.time_unit!r}"
        if problem := pattern_problem(record.time_format):
            yield f"time_format: {record.time_format!r}: {problem}"
        elif "%z" not in record.time_format and not (record.time_zone or mapping.time_zone):
            yield "time_format: without %z it says no offset; say with time_zone whose time it is"
    if record.size_factor_until is not None and record.size_factor == 1:
        yield "size_factor_until: until then sizes are multiplied by size_factor, which is missing"


def _zone_problem(name: str | None) -> Iterator[str]:
    if name is None:
        return
    try:
        TimeZone(name)
    except ValueError as error:
        yield f"time_zone: {error}"


def _tape_problems(record: Record) -> Iterator[str]:
    found = record.conditions
    if found is None:
        return
    if bool(found.tape) != bool(found.tapes):
        missing = "tapes" if found.tape else "tape"
        yield f"conditions.{missing}: missing; `tape` says where the tape is, `tapes` their tables"
    if len(found.tapes) > MAX_TAPES:
        yield f"conditions.tapes: {len(found.tapes)} tapes; up to {MAX_TAPES} are possible"


def _answer_problems(answer: object) -> Iterator[str]:
    """Each `${path}` of an answer must be a path of the record."""
    if isinstance(answer, dict):
        for each in answer.values():
            yield from _answer_problems(each)
    elif isinstance(answer, list):
        for each in answer:
            yield from _answer_problems(each)
    elif isinstance(answer, str):
        for found in _REPEATED.finditer(answer):
            yield from _path_problem("answer", found[1])


def _path_problems(record: Record) -> Iterator[str]:
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
    for field in FIELDS:
        for text in paths(getattr(record, field)):
            yield field, text
    for text in record.where:
        yield "where", text
    for field in ("conditions", "side", "status", "checksum"):
        table = getattr(record, field)
        if isinstance(table, (Conditions, Side, Status, Checksum)):
            yield f"{field}.path", table.path
    if record.conditions is not None and record.conditions.tape is not None:
        yield "conditions.tape", record.conditions.tape


def _path_problem(field: str, text: str, *, many: bool = False) -> Iterator[str]:
    try:
        read_path(text, many=many)
    except ConfigError as error:
        yield f"{field}: {error}"
