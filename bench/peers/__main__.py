"""`make bench-peers`, or `python -m bench.peers [--no-search] [NAME...]`: compare and write
PEERS.md.

Each peer's report goes to build/peers/results/NAME.json. With names, only those are measured
again (`ours` is the search for our own capacity). The page is made of all reports there are.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bench.peers.catalogue import BUILD, PEERS, Peer
from bench.peers.measure import LOADS, capacity, compare
from bench.peers.page import PAGE, render
from ticker.bench import machine
from ticker.errors import BenchError

REPORTS = BUILD / "results"
SEGMENTS = 3
SEGMENT_SECONDS = 1.2
OURS = "ours"


def main(arguments: list[str]) -> int:
    """Measure, then write the page; 1 when a peer failed or was void."""
    search = "--no-search" not in arguments
    names = [each for each in arguments if not each.startswith("--")]
    known = [OURS, *(peer.name for peer in PEERS)]
    if unknown := set(names) - set(known):
        print(
            f"no peer {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr
        )
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    bad = []
    if OURS in names or not names:
        keep(OURS, {"search": capacity(None, LOADS["5"])} if search else {})
    for peer in PEERS:
        if names and peer.name not in names:
            continue
        report = measured(peer, search)
        keep(peer.name, report)
        if report.get("failed") or any(each["void"] for each in report.get("loads", {}).values()):
            bad.append(peer.name)
    reports = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in known
        if (path := REPORTS / f"{name}.json").exists()
    }
    PAGE.write_text(render(reports), encoding="utf-8")
    if bad:
        print(f"failed or void: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


def measured(peer: Peer, search: bool) -> dict[str, Any]:
    """One peer's report; why it was skipped, or failed."""
    if reason := peer.missing():
        print(f"{peer.title}: skipped: {reason}", flush=True)
        return {"skipped": reason}
    begin = time.monotonic()
    report: dict[str, Any] = {"versions": peer.versions(), "loads": {}}
    try:
        for name, load in LOADS.items():
            found = compare(peer, load, SEGMENTS, SEGMENT_SECONDS)
            report["loads"][name] = found
            print(f"{peer.title}, {name} symbols: ratio {found['ratio']} {found['void'] or ''}")
        if search:
            report["search"] = capacity(peer, LOADS["5"])
            print(f"{peer.title}: at most {report['search']['deliveries_per_second']:,}/s")
    except BenchError as error:
        report["failed"] = str(error)
        print(f"{peer.title}: failed: {error}", file=sys.stderr)
    report["seconds"] = round(time.monotonic() - begin)
    sys.stdout.flush()
    return report


def keep(name: str, report: dict[str, Any]) -> None:
    """Write a report with where, when and how it was made."""
    made = {
        "command": shlex.join(["python", "-m", "bench.peers", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "ours": machine.versions(),
        **report,
    }
    text = json.dumps(made, indent=2) + "\n"
    (REPORTS / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
