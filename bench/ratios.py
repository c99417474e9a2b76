"""The ratios in bench/ratios.json, and the rule that calls one worse.

Law: only ratios of two figures of one run are compared, since times differ from machine to machine
and from hour to hour.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.runs import ROOT

Report = dict[str, Any]

KEPT = ROOT / "bench" / "ratios.json"
PEERS = ROOT / "build" / "peers" / "results"
TOLERANCE = 0.15


@dataclass(frozen=True)
class Ratio:
    """Where a ratio stands: the run, and the name of the figure in its report."""

    run: str
    figure: str
    better: str = "lower"


RATIOS = (
    *(
        Ratio(name, "cpu_ratio_to_send_loop")
        for name in ("fanout", "fanout-json", "fanout-msgpack", "fanout-depth")
    ),
    Ratio("fanout-rates", "cpu_ratio_to_one_rate"),
    *(
        Ratio(name, "cpu_ratio_to_book")
        for name in (
            "ingest",
            "ingest-pitch",
            "ingest-pillar",
            "ingest-deep",
            "ingest-tops",
            "ingest-fix",
            "ingest-json",
        )
    ),
)


def found(reports: dict[str, Report]) -> dict[str, dict[str, Any]]:
    """The ratios of the reports that are not void, as ratios.json has them."""
    return {
        each.run: {"ratio": reports[each.run][each.figure], "better": each.better}
        for each in RATIOS
        if each.run in reports and not reports[each.run]["void"]
    }


def of_peers(folder: Path = PEERS) -> dict[str, dict[str, Any]]:
    """The ratios that `make bench-peers` left: ours to each peer's, deliveries per CPU second."""
    ratios = {}
    for path in sorted(folder.glob("*.json")):
        loads = json.loads(path.read_text(encoding="utf-8")).get("loads") or {}
        for kind, load in loads.items():
            if load.get("ratio") and not load.get("void"):
                name = f"peer {path.stem}: {kind}"
                ratios[name] = {"ratio": load["ratio"], "better": "higher"}
    return ratios


def load(path: Path = KEPT) -> dict[str, dict[str, Any]]:
    """The committed ratios; none without a file."""
    if not path.exists():
        return {}
    kept: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def keep(fresh: dict[str, dict[str, Any]], path: Path = KEPT) -> None:
    """Put these in the place of those of their names."""
    kept = dict(sorted({**load(path), **fresh}.items()))
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def worse_by(committed: dict[str, Any], ratio: float) -> float:
    """The worsening of a ratio as a share of the committed one; below 0 is better."""
    before = committed["ratio"]
    return float(ratio / before if committed["better"] == "lower" else before / ratio) - 1


def fails(committed: dict[str, Any], ratio: float) -> bool:
    """Whether a ratio is worse by more than the tolerance."""
    return worse_by(committed, ratio) > TOLERANCE
