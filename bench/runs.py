"""The runs of `make bench`: each is a `ticker bench`, with a report in build/bench/results.

All of them together take less than 10 minutes on two cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "bench" / "results"
FANOUT = "fanout --clients 2000 --symbols 1000 --symbols-per-client 5 --duration 3"
RUNS = {
    "fanout": FANOUT,
    "fanout-json": f"{FANOUT} --encoding json",
    "fanout-msgpack": f"{FANOUT} --encoding msgpack",
    "fanout-depth": "fanout --clients 1000 --symbols 50 --symbols-per-client 50 --channel depth "
    "--encoding json --duration 3",
    "fanout-rates": "fanout --rates --clients 1000 --duration 4 --encoding json",
    "scaling-clients": "scaling --over clients --duration 2",
    "scaling-symbols": "scaling --over symbols --duration 1.5",
    "scaling-hot": "scaling --over hot --duration 1.6",
    "scaling-per-client": "scaling --over per-client --duration 1.5",
    "scaling-ticks": "scaling --over ticks --duration 1.5",
    "scaling-workers": "scaling --over workers --duration 1.5",
    "snapshot": "snapshot --clients 1000 --duration 5",
    "latency-tenth": "latency --share 0.1 --symbols-per-client 1 --ticks 0.5 --duration 6 "
    "--encoding json",
    "latency-four-fifths": "latency --share 0.8 --duration 6 --encoding json",
    "latency-load": "latency --sweep-share 0.1,0.3,0.5,0.7 --duration 2 --encoding json",
    "capacity": "capacity --encoding json --step 1 --confirm 3",
    "connections": "connections --clients 15000",
    "ingest": "ingest --symbols 5000 --messages 20000000",
    "ingest-pitch": "ingest --protocol pitch --symbols 5000",
    "ingest-pillar": "ingest --protocol pillar --symbols 5000",
    "ingest-deep": "ingest --protocol deep --symbols 5000",
    "ingest-tops": "ingest --protocol tops --symbols 8000",
    "ingest-fix": "ingest --protocol fix --symbols 2000",
    "ingest-json": "ingest --protocol json --symbols 2000",
    "ingest-udp": "ingest --udp --rate 1000000 --duration 8",
    "box": "box --rate 1M --clients 1000 --symbols-per-client 5 --duration 60",
    "shm": "shm",
}

Report = dict[str, Any]


def measure(name: str, folder: Path = REPORTS) -> bool:
    """Run one; returns whether it succeeded."""
    report = folder / f"{name}.json"
    report.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "ticker", "bench", *RUNS[name].split(), "--json", str(report)]
    print(f"\n=== {name}", flush=True)
    return subprocess.run(argv, cwd=ROOT).returncode == 0


def reports(folder: Path = REPORTS) -> dict[str, Report]:
    """The existing reports, by the name of their run."""
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in (*RUNS, "profile")
        if (path := folder / f"{name}.json").exists()
    }
