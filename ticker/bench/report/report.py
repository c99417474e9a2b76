"""A bench's result as JSON and as a table: always with machine, versions, command and date."""

from __future__ import annotations

import json
import shlex
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticker.bench.report import machine
from ticker.bench.report.figures import ABOUT, HIGHLIGHTS, SHORT, bare, is_runs, shown

Report = dict[str, Any]
DURATIONS = tuple(f"{short}_us" for short in SHORT)
WIDTH = 100  # of the table
INLINE = 6  # members of a group that has no place in the table
SHORT_TEXT = 16
PRIVATE = ("--json", "--plot", "--token")


def report(bench: str, parameters: dict[str, Any], results: dict[str, Any]) -> Report:
    """What a bench found, with where and when; `results` keeps its names at the top level."""
    return {
        "bench": bench,
        "command": shlex.join(["ticker", *_without_private(sys.argv[1:])]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "parameters": parameters,
        **results,
    }


def _without_private(arguments: list[str]) -> list[str]:
    """The arguments without where the report goes, which are paths of this machine, and without
    a token, which opens a server."""
    kept = []
    skip = False
    for argument in arguments:
        if not skip and argument.partition("=")[0] not in PRIVATE:
            kept.append(argument)
        skip = not skip and argument in PRIVATE
    return kept


def write(path: Path, found: Report) -> None:
    """The report as a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def table(found: Report) -> str:
    """The report for a terminal: where and when, then all figures."""
    head = found["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in found["versions"].items())
    lines = [
        f"{found['bench']}: {found['command']}",
        f"{head['cpu']}, {head['cores']} cores, {head['memory_gb']} GB, Linux {head['kernel']}",
        f"{versions}; {found['date']}",
        "",
        *figures(found),
    ]
    if found.get("void"):
        lines += ["", f"VOID: {found['void']}"]
    return "\n".join(lines)


def figures(found: Report) -> list[str]:
    """A line per figure with its unit, then the waits and the runs as tables; at the end, what is
    in the JSON only."""
    lines: list[tuple[str, str]] = []
    below: list[str] = []
    waits: list[Report] = []
    details: list[str] = []
    told: set[str] = set()
    for name, value in found.items():
        if name in ABOUT or name in told:
            continue
        if prefix := _percentiles_of(name, found):
            told |= {f"{prefix}{each}" for each in ("count", "histogram", *DURATIONS)}
            waits.append(_wait(prefix.rstrip("_"), found, prefix))
        elif isinstance(value, dict) and "void" in value:
            inner = highlights(name, value)
            lines += inner[0]
            waits += inner[1]
        elif isinstance(value, dict) and "p50_us" in value:
            waits.append(_wait(name, value, ""))
        elif is_runs(value):
            below += ["", *columns(value)]
        elif isinstance(value, dict | list) and len(value) > INLINE:
            details.append(name)
        else:
            lines.append((bare(name), _value(name, value)))
    if details:
        told_by = f"only in the JSON (--json FILE): {', '.join(details)}"
        below += ["", *textwrap.wrap(told_by, WIDTH)]
    wide = max((len(name) for name, _ in lines), default=0)
    each = [f"  {name:<{wide}}  {value}" for name, value in lines]
    laid = [*each, *_waits(waits), *below]
    return laid if each else laid[1:]


def highlights(bench: str, found: Report) -> tuple[list[tuple[str, str]], list[Report]]:
    """Of a report inside a report: the lines of its most telling figures, and its waits."""
    lines = [
        (f"{bench}.{bare(name)}", _value(name, found[name]))
        for name in HIGHLIGHTS[bench]
        if name in found
    ]
    waits = [
        _wait(bench, found, prefix)
        for prefix in {_percentiles_of(name, found) for name in found} - {""}
    ]
    waits += [
        _wait(bench, value, "")
        for value in found.values()
        if isinstance(value, dict) and "p50_us" in value
    ]
    return lines, waits


def _wait(name: str, found: Report, prefix: str) -> Report:
    """The cells of one kind of wait."""
    each = {short: shown("_us", found[f"{prefix}{short}_us"]) for short in SHORT}
    count = found.get(f"{prefix}count")
    return {"": name, **each, "of": "" if count is None else f"{count:,}"}


def _waits(waits: list[Report]) -> list[str]:
    """Percentiles below each other, under their names."""
    if not waits:
        return []
    rows = [dict(zip(waits[0], waits[0], strict=True)), *waits]
    wide = {name: max(len(row[name]) for row in rows) for name in rows[0]}
    return [
        "",
        *(
            "  ".join(
                ("  " + value).ljust(wide[name] + 2) if not name else value.rjust(wide[name])
                for name, value in row.items()
            ).rstrip()
            for row in rows
        ),
    ]


def columns(rows: list[Report]) -> list[str]:
    """Runs beside each other, a figure per line; what is no single figure is left to the JSON.
    Runs that do not fit into the width come below."""
    names = [name for name, value in rows[0].items() if isinstance(value, int | float)]
    names += [
        name
        for name, value in rows[0].items()
        if isinstance(value, str) and not name.endswith("histogram") and len(value) <= SHORT_TEXT
    ]
    heads = [bare(name) for name in names]
    cells = [[_value(name, row.get(name)) for name in names] for row in rows]
    left = max(map(len, heads))
    lines: list[str] = []
    while cells:
        taken = _fitting(cells, WIDTH - left - 2)
        wide = [max(map(len, cell)) for cell in cells[:taken]]
        lines += [""] if lines else []
        for place, head in enumerate(heads):
            values = (cell[place].rjust(size) for cell, size in zip(cells, wide, strict=False))
            lines.append(f"  {head:<{left}}  {'  '.join(values)}")
        cells = cells[taken:]
    return lines


def _fitting(cells: list[list[str]], width: int) -> int:
    """How many columns fit; one at least."""
    for taken, cell in enumerate(cells):
        width -= 2 + max(map(len, cell))
        if width < 0 and taken:
            return taken
    return len(cells)


def _percentiles_of(name: str, found: Report) -> str:
    """The prefix of a figure that is one of a set of percentiles; empty if it is not."""
    for ending in ("count", *DURATIONS):
        prefix = name.removesuffix(ending)
        if prefix != name and all(f"{prefix}{each}" in found for each in DURATIONS):
            return prefix
    return ""


def _value(name: str, value: object) -> str:
    """A figure with its unit; a small group of them in one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key} {_value(f'{name}_{key}', each)}" for key, each in value.items())
        return inside or "none"
    if isinstance(value, list):
        return ", ".join(_value(name, each) for each in value) or "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return shown(name, value)
