"""A bench's result as JSON and as a table: always with machine, versions, command and date."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ticker.bench import machine

Report = dict[str, Any]


def report(bench: str, parameters: dict[str, Any], results: dict[str, Any]) -> Report:
    """What a bench found, with where and when; `results` keeps its names at the top level."""
    return {
        "bench": bench,
        "command": shlex.join(["ticker", *_without_json(sys.argv[1:])]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "parameters": parameters,
        **results,
    }


def _without_json(arguments: list[str]) -> list[str]:
    """The arguments without where the report goes, which is a path of this machine."""
    kept = []
    skip = False
    for argument in arguments:
        if not skip and argument != "--json" and not argument.startswith("--json="):
            kept.append(argument)
        skip = not skip and argument == "--json"
    return kept


def write(path: Path, found: Report) -> None:
    """The report as a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def table(found: Report) -> str:
    """The report for a terminal: one line per figure, a table per list of runs."""
    head = found["machine"]
    lines = [
        f"{found['bench']}: {found['command']}",
        f"{head['cpu']}, {head['cores']} cores, Linux {head['kernel']}, {found['date']}",
        "",
    ]
    known = {"bench", "command", "date", "machine", "versions", "parameters", "void"}
    for name, value in found.items():
        if name not in known:
            lines += figure(name, value)
    if found.get("void"):
        lines += ["", f"VOID: {found['void']}"]
    return "\n".join(lines)


def figure(name: str, value: object) -> list[str]:
    """The lines of one figure; none of an encoded histogram, which is for tools."""
    if name.endswith("histogram"):
        return []
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ["", *columns(value)]
    if isinstance(value, dict):
        inside = ", ".join(
            f"{key} {each}" for key, each in value.items() if each != [] and key != "histogram"
        )
        return [f"  {name:<32} {inside or 'none'}"]
    return [f"  {name:<32} {value}"]


def columns(rows: list[dict[str, Any]]) -> list[str]:
    """Rows of figures under their names; what is no single figure is left to the JSON."""
    names = [name for name, value in rows[0].items() if isinstance(value, int | float)]
    wide = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in names}
    return [
        "  ".join(name.rjust(wide[name]) for name in names),
        *("  ".join(str(row[name]).rjust(wide[name]) for name in names) for row in rows),
    ]
