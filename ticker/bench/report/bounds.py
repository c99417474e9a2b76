"""`--fail-if 'p99>50ms'`: bounds that a report must not break.

    bound  = figure op number [unit]
    figure = a name of the report (update_p99_us), with or without its unit at the end;
             p50, p90, p99, p99.9, p99.99 or max; or `bench.figure` in the report of all
    op     = > | >= | < | <=
    unit   = ns | us | µs | ms | s   of a time
             B | kB | MB | GB        of a size
             %                       of a number, a ratio or a share

Law: a bound is exact (decimal, no float of its own). A figure that a run did not measure fails it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ticker.bench.report.figures import numbers, resolve, runs, shown, unit_of

_BOUND = re.compile(
    r"\s*([A-Za-z][\w.-]*)\s*(>=|<=|>|<)\s*([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*([A-Za-zµ%]*)\s*"
)
_TIMES = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "ms": "1e-3", "s": "1"}
_SIZES = {"B": "1", "kB": "1e3", "MB": "1e6", "GB": "1e9"}
# what a figure's unit is measured in, and how large it is there
_KINDS: dict[str, tuple[dict[str, str], str]] = {
    "us": (_TIMES, "1e-6"),
    "ns": (_TIMES, "1e-9"),
    "ms": (_TIMES, "1e-3"),
    "kb": (_SIZES, "1e3"),
    "bytes": (_SIZES, "1"),
    "": ({"%": "0.01"}, "1"),
}


@dataclass(frozen=True)
class Bound:
    """One bound: its text, the full name of the figure, and the limit in the figure's own unit."""

    text: str
    figure: str
    op: str
    limit: Decimal

    def broken_by(self, value: float) -> bool:
        """Whether the report breaks this bound."""
        measured = Decimal(repr(value))
        if self.op.startswith(">"):
            return measured > self.limit or (self.op == ">=" and measured == self.limit)
        return measured < self.limit or (self.op == "<=" and measured == self.limit)


@dataclass(frozen=True)
class Broken:
    """A broken bound, with the measured value as text."""

    bound: Bound
    measured: str

    def __str__(self) -> str:
        return f"{self.bound.text}: {self.bound.figure} {self.measured}"


def parse(text: str, known: Iterable[str]) -> Bound:
    """A bound on one of the `known` figures.

    Raises:
        ValueError: it is no bound, there is no such figure, or the unit is not one of it.
    """
    known = tuple(known)
    match = _BOUND.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a bound; write FIGURE>NUMBER, like p99>50ms")
    name, op, number, unit = match.groups()
    figure = resolve(name, known)
    if figure is None:
        raise ValueError(f"{text!r}: no figure {name}; {_alike(name, known)}")
    units, own = _KINDS[unit_of(figure)]
    if not unit:
        if own != "1" and name != figure:
            raise ValueError(f"{text!r}: {name} needs a unit: {', '.join(units)}")
        return Bound(text, figure, op, Decimal(number))
    if unit not in units:
        raise ValueError(f"{text!r}: {name} is no figure in {unit}, but in {', '.join(units)}")
    return Bound(text, figure, op, Decimal(number) * Decimal(units[unit]) / Decimal(own))


def microseconds(text: str) -> float:
    """A time like 250ms or 1.5 s.

    Raises:
        ValueError: it is none, or has no unit.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ns|us|µs|ms|s)\s*", text)
    if not match:
        raise ValueError(f"{text!r} is not a time; give one like 250ms, in {', '.join(_TIMES)}")
    return float(Decimal(match[1]) * Decimal(_TIMES[match[2]]) * 1_000_000)


def _alike(name: str, known: tuple[str, ...]) -> str:
    """The figures with a similar name, and all known ones."""
    near = difflib.get_close_matches(name, known, 3)
    meant = f"do you mean {', '.join(near)}? " if near else ""
    named = [each for each in known if not _group(each)]
    groups = sorted({f"{_group(each)}.*" for each in known} - {".*"})
    return f"{meant}There are p50 to max, {', '.join((*named, *groups))}"


def _group(name: str) -> str:
    """`seen` of seen.updates; nothing of update_p99.9_us."""
    head, dot, _ = name.partition(".")
    return head if dot and not head.endswith("p99") else ""


def broken(bounds: Iterable[Bound], found: Mapping[str, Any]) -> list[Broken]:
    """The bounds that a report does not keep. A figure of a sweep's runs must hold in each."""
    measured = dict(numbers(found))
    rows = [dict(numbers(row)) for row in runs(found)]
    kept = []
    for bound in bounds:
        values = [(measured[bound.figure], "")] if bound.figure in measured else []
        if not values:
            values = [
                (row[bound.figure], f" in run {number} of {len(rows)}")
                for number, row in enumerate(rows, 1)
                if bound.figure in row
            ]
        kept += [
            Broken(bound, f"is {shown(bound.figure, value)}{where}")
            for value, where in values
            if bound.broken_by(value)
        ]
        if not values:
            kept.append(Broken(bound, "was not measured"))
    return kept
