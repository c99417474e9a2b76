"""`make bench-peers`, or `python -m bench.peers [--no-search | --only-search] [NAME...]`:
compare and write PEERS.md.

Each peer's report goes to build/peers/results/NAME.json. With names, only those are measured
again (`ours` is the search for our own capacity; --only-search keeps
what was compared before). The page is made of all reports there are.
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
ROUNDS = 3
TURN_SECONDS = 0.8
OURS = "ours"
NO_SEARCH, ONLY_SEARCH = "--no-search", "--only-search"


def main(arguments: list[str]) -> int:
    """Measure, then write the page; 1 when a peer failed or was void."""
    options = {each for each in arguments if each.startswith("--")}
    if options - {NO_SEARCH, ONLY_SEARCH} or options >= {NO_SEARCH, ONLY_SEARCH}:
        print(f"options: {NO_SEARCH} or {ONLY_SEARCH}", file=sys.stderr)
        return 2
    names = [each for each in arguments if not each.startswith("--")]
    known = [OURS, *(peer.name for peer in PEERS)]
    if unknown := set(names) - set(known):
        print(
            f"no peer {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr
        )
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    bad = []
    if (OURS in names or not names) and NO_SEARCH not in options:
        keep(OURS, {"search": capacity(None, LOADS["5"])})
    for peer in PEERS:
        if names and peer.name not in names:
            continue
        report = measured(peer, options)
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


def measured(peer: Peer, options: set[str]) -> dict[str, Any]:
    """One peer's report; why it was skipped, or failed."""
    if reason := peer.missing():
        print(f"{peer.title}: skipped: {reason}", flush=True)
        return {"skipped": reason}
    begin = time.monotonic()
    report: dict[str, Any] = {"versions": peer.versions(), "loads": {}}
    if ONLY_SEARCH in options and (path := REPORTS / f"{peer.name}.json").exists():
        report["loads"] = json.loads(path.read_text(encoding="utf-8")).get("loads", {})
    try:
        for name, load in () if ONLY_SEARCH in options else LOADS.items():
            found = compare(peer, load, ROUNDS, TURN_SECONDS)
            report["loads"][name] = found
            print(f"{peer.title}, {name} symbols: ratio {found['ratio']} {found['void'] or ''}")
        if NO_SEARCH not in options:
            report["search"] = capacity(peer, LOADS["5"])
            print(f"{peer.title}: search: {report['search']['deliveries_per_second']}/s")
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
