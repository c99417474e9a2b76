"""bench/plots/*.svg: the charts of the reports that docs/performance.md and RESULTS.md show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.runs import ROOT
from ticker.bench.report.charts import draw

FOLDER = ROOT / "bench" / "plots"
PLOTTED = (
    "scaling-clients",
    "scaling-symbols",
    "scaling-hot",
    "scaling-per-client",
    "scaling-ticks",
    "scaling-workers",
    "latency-load",
    "capacity",
    "connections",
)


def write(reports: dict[str, dict[str, Any]], folder: Path = FOLDER) -> dict[str, str]:
    """Draw the charts of all reports; returns the file names by run. If too much of a report is
    void for a chart, its old plot is deleted."""
    drawn = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLOTTED:
        path = folder / f"{name}.svg"
        if name not in reports:
            continue
        try:
            path.write_text(draw(reports[name]), encoding="utf-8")
        except ValueError as error:
            print(f"{path.name}: {error}")
            path.unlink(missing_ok=True)
        else:
            drawn[name] = path.name
    return drawn
