"""`make bench`, or `python -m bench [NAME...]`: run the set and write RESULTS.md.

Each run is a `ticker bench` of its own; its report goes to build/bench/results/NAME.json. With
names, only those runs are measured again. The page is made of all reports that are there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.results import render

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "bench" / "results"
PAGE = ROOT / "bench" / "RESULTS.md"
RUNS = {
    "fanout": "fanout --clients 2000 --symbols 1000 --symbols-per-client 5 --duration 5",
    "fanout-json": "fanout --clients 2000 --symbols 1000 --symbols-per-client 5 --duration 5 "
    "--encoding json",
    "fanout-msgpack": "fanout --clients 2000 --symbols 1000 --symbols-per-client 5 --duration 5 "
    "--encoding msgpack",
    "fanout-rates": "fanout --rates --clients 1000 --duration 10 --encoding json",
    "scaling-clients": "scaling --over clients --duration 3",
    "scaling-symbols": "scaling --over symbols --duration 1.5",
    "scaling-per-client": "scaling --over per-client --duration 1.5",
    "scaling-ticks": "scaling --over ticks --duration 1.5",
    "scaling-workers": "scaling --over workers --duration 1.5",
    "snapshot": "snapshot --clients 1000 --duration 10",
    "latency": "latency --clients 2000 --duration 5",
    "latency-tenth": "latency --share 0.1 --symbols-per-client 1 --ticks 0.5 --duration 10 "
    "--encoding json",
    "latency-four-fifths": "latency --share 0.8 --duration 10 --encoding json",
    "connections": "connections --clients 15000",
    "ingest": "ingest --symbols 5000 --messages 20000000",
    "ingest-pitch": "ingest --protocol pitch --symbols 5000",
    "ingest-pillar": "ingest --protocol pillar --symbols 5000",
    "ingest-deep": "ingest --protocol deep --symbols 5000",
    "ingest-tops": "ingest --protocol tops --symbols 8000",
    "ingest-fix": "ingest --protocol fix --symbols 2000",
    "ingest-json": "ingest --protocol json --symbols 2000",
    "ingest-udp": "ingest --udp --rate 1000000 --duration 30",
    "box": "box --rate 1M --clients 1000 --symbols-per-client 5 --duration 60",
    "shm": "shm",
}


def main(names: list[str]) -> int:
    """Measure, then write the page; 1 when a run failed or was void."""
    unknown = set(names) - set(RUNS)
    if unknown:
        print(f"no run {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}", file=sys.stderr)
        return 2
    failed = [name for name in names or RUNS if not measure(name)]
    reports = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in RUNS
        if (path := REPORTS / f"{name}.json").exists()
    }
    PAGE.write_text(render(reports), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(reports)} runs")
    if failed:
        print(f"failed or void: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def measure(name: str) -> bool:
    """One run; whether it ended well."""
    report = REPORTS / f"{name}.json"
    report.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "ticker", "bench", *RUNS[name].split(), "--json", str(report)]
    print(f"\n=== {name}", flush=True)
    return subprocess.run(argv, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
