"""`make bench-peers`, or `python -m bench.peers [--no-search | --only-search | --page] [NAME...]`:
compare and write PEERS.md.

Each peer's report goes to build/peers/results/NAME.json. With names, only those are measured
again (`ours` is the search for our own capacity); --only-search keeps what was compared before,
--no-search what was searched. The page is made of all reports there are; --page does that alone.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bench.peers.catalogue import BUILD, PEERS, Peer
from bench.peers.measure import LOADS, compare
from bench.peers.page import PAGE, render
from bench.peers.search import capacity
from ticker.bench.report import machine
from ticker.errors import BenchError

REPORTS = BUILD / "results"
ROUNDS = 3
TURN_SECONDS = 2.0
OURS = "ours"
OPTIONS = NO_SEARCH, ONLY_SEARCH, ONLY_PAGE = "--no-search", "--only-search", "--page"


def main(arguments: list[str]) -> int:
    """Measure, then write the page; 1 when a peer failed or was void."""
    options = {each for each in arguments if each.startswith("--")}
    if options - set(OPTIONS) or len(options) > 1:
        print(f"options: one of {', '.join(OPTIONS)}", file=sys.stderr)
        return 2
    names = [each for each in arguments if not each.startswith("--")]
    known = [OURS, *(peer.name for peer in PEERS)]
    if unknown := set(names) - set(known):
        print(
            f"no peer {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr
        )
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    bad = [] if ONLY_PAGE in options else measure(names or known, options)
    reports = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in known
        if (path := REPORTS / f"{name}.json").exists()
    }
    PAGE.write_text(render(reports), encoding="utf-8")
    if bad:
        print(f"failed or void: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


def measure(names: list[str], options: set[str]) -> list[str]:
    """Measure these and write their reports; returns those that failed or are void."""
    bad = []
    if OURS in names and NO_SEARCH not in options:
        load = LOADS["5"].load
        trades = replace(load, channel="trades", encoding="json")
        keep(OURS, {"search": capacity(None, load), "search_trades": capacity(None, trades)})
    for peer in PEERS:
        if peer.name not in names:
            continue
        report = measured(peer, options)
        keep(peer.name, report)
        if report.get("failed") or any(each["void"] for each in report.get("loads", {}).values()):
            bad.append(peer.name)
    return bad


def measured(peer: Peer, options: set[str]) -> dict[str, Any]:
    """One peer's report; a skipped or failed one has the reason."""
    if reason := peer.missing():
        print(f"{peer.title}: skipped: {reason}", flush=True)
        return {"skipped": reason}
    report: dict[str, Any] = {"versions": peer.versions(), **kept(peer, options)}
    try:
        if ONLY_SEARCH not in options:
            report["loads"] = compared(peer)
        if NO_SEARCH not in options:
            report["search"] = capacity(peer, LOADS["5"].load)
            print(f"{peer.title}: search: {report['search']['deliveries_per_second']}/s")
    except BenchError as error:
        report["failed"] = str(error)
        print(f"{peer.title}: failed: {error}", file=sys.stderr)
    sys.stdout.flush()
    return report


def kept(peer: Peer, options: set[str]) -> dict[str, Any]:
    """The earlier measurements that are not made anew, with their dates."""
    path = REPORTS / f"{peer.name}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    name = "loads" if ONLY_SEARCH in options else "search" if NO_SEARCH in options else ""
    if name not in before:
        return {}
    commit = before["ours"].get("commit", "unknown")
    return {name: before[name], "kept": f"{name} of {before['date']}, commit {commit}"}


def compared(peer: Peer) -> dict[str, Any]:
    """Under each load that it is said to carry."""
    found = {}
    for name, setting in LOADS.items():
        if setting.heavy and not peer.heavy:
            continue
        found[name] = compare(peer, setting.load, ROUNDS, TURN_SECONDS)
        ratio, void = found[name]["ratio"], found[name]["void"]
        print(f"{peer.title}, {name} symbols: ratio {ratio} {void or ''}", flush=True)
    return found


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
