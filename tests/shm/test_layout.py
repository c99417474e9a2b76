"""Enums and structs of shared memory, and the names that are made from them."""

from __future__ import annotations

import ast
import importlib
import re
from enum import IntEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from ticker.config import access
from ticker.feeds.json import rules, tables
from ticker.gateway.bars import encode as bar_frames
from ticker.gateway.hub import fields
from ticker.gateway.protocol import vocabulary
from ticker.gateway.sockets import connection
from ticker.shm import counters, layout, liveness, rejects
from ticker.shm.bars import published
from ticker.shm.header import Mapping
from ticker.shm.table import FIELDS, TableWriter


class Colour(IntEnum):
    COLOUR_RED = 0
    COLOUR_DARK_BLUE = 1


def test_names_are_the_members_own() -> None:
    assert layout.names_of(Colour, "COLOUR_") == ("red", "dark_blue")
    assert layout.names_of(Colour, "COLOUR_", end="COLOUR_DARK_BLUE") == ("red",)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ([("COLOUR_RED", 0), ("COLOUR_BLUE", 2)], "COLOUR_BLUE = 2"),  # a gap
        ([("COLOUR_BLUE", 1), ("COLOUR_RED", 0)], "COLOUR_BLUE = 1"),  # not in order
        ([("COLOUR_RED", 0), ("COLOUR_ALSO", 0)], "COLOUR_ALSO = 0"),  # twice
        ([("COLOUR_RED", 0), ("BLUE", 1)], "BLUE = 1"),
    ],
)
def test_an_enum_that_would_slip_cannot_be_imported(
    members: list[tuple[str, int]], word: str
) -> None:
    make: Any = IntEnum
    with pytest.raises(ImportError, match=word):
        layout.names_of(make("Colour", members), "COLOUR_")


def enums_in(stub: Path) -> dict[str, dict[str, int]]:
    """The enums that a .pyi tells mypy of, with the numbers of their members."""
    return {
        node.name: {
            line.targets[0].id: int(ast.literal_eval(line.value))
            for line in node.body
            if isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)
            and isinstance(line.value, ast.Constant)
        }
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ClassDef) and "IntEnum" in map(ast.unparse, node.bases)
    }


def test_what_mypy_reads_of_an_enum_is_what_was_compiled(root: Path) -> None:
    told = {stub: enums_in(stub) for stub in sorted((root / "ticker").rglob("*.pyi"))}
    assert {"TradingStatus", "RejectRule"} <= told[root / "ticker/shm/layout.pyi"].keys()
    for stub, enums in told.items():
        module = ".".join(stub.relative_to(root).with_suffix("").parts)
        for name, members in enums.items():
            compiled = getattr(importlib.import_module(module), name).__members__
            assert list(members.items()) == [(each, int(compiled[each])) for each in compiled], name


def test_row_fields_are_those_of_the_struct(root: Path, feed: Mapping) -> None:
    text = (root / "ticker/shm/layout.pxd").read_text()
    struct = re.search(r"^cdef struct Values:\n((?:    .*\n)+)", text, re.MULTILINE)
    assert struct is not None
    declared = re.findall(r"^    (u?int64_t) (\w+)(?:\[\d+\])?(?: |$)", struct[1], re.MULTILINE)
    assert tuple(name for _, name in declared if name != "reserved") == FIELDS
    table = TableWriter(feed)
    row = table.add("A")
    for kind, name in declared:
        if name != "reserved":
            extreme = -(1 << 63) if kind == "int64_t" else (1 << 64) - 1
            table.put(row, **{name: extreme})
            values = table.values(row)
            assert values is not None
            assert values[name] == extreme, f"{name} is {kind}"


def test_each_rule_of_the_filter_has_its_counter() -> None:
    counted = [name for name in counters.FEED_COUNTERS if name.startswith("rejected_")]
    assert counted == [f"rejected_{rule}" for rule in rejects.RULES]
    first = int(vars(counters)["FeedCounter"].FEED_REJECTED_DUPLICATE)
    assert counters.FEED_COUNTERS[first : first + len(rejects.RULES)] == tuple(counted)


def test_names_that_are_written_twice_for_mypy_agree() -> None:
    assert set(get_args(vocabulary.State)) == set(liveness.STATES)
    assert get_args(vocabulary.Channel) == (*fields.CHANNEL_NAMES, "bars")
    assert get_args(access.Channel) == get_args(vocabulary.Channel)
    assert get_args(vocabulary.Interval) == bar_frames.INTERVALS
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    spans = tuple(int(name[:-1]) * seconds[name[-1]] for name in bar_frames.INTERVALS)
    assert spans == published.SPAN_SECONDS
    states = tuple(each.name.removeprefix("BAR_").lower() for each in published.BarState)
    assert states == bar_frames.STATES
    assert (
        tuple(
            f"{vocabulary.PROTOCOL}.{name}"
            for name in connection.ENCODING_NAMES
            if name not in ("plain", "event_stream")
        )
        == vocabulary.SUBPROTOCOLS
    )
    assert get_args(get_type_hints(tables.Record)["kind"]) == vars(rules)["KINDS"]
    assert tables.Status.__struct_fields__[1:] == layout.TRADING_STATUSES[1:]
    assert set(rules.FIELDS) < set(tables.Record.__struct_fields__)
