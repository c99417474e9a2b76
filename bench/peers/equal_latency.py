"""`make bench-equal-latency`, or `python -m bench.peers.equal_latency [OPTION...] [NAME...]`: the
cost of a delivery over its latency, ours at every pace and each peer at once and by a timer.

Every server runs alone on the tested core with clients of its own, one after the other, and all of
them again in the next round. The figures go to bench/equal-latency.json, and from there into
docs/equal-latency.md, its charts, and README.md; --page makes these alone. With names (of peers, or
`ours`), only those servers are measured again, and the others keep their figures. With --realtime
all processes go before those of other programs: for root, on a machine that is not idle.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bench.peers import equal_latency_page as page
from bench.peers.catalogue import PEERS, Peer
from bench.peers.measure import FOREIGN, NAP_US, disturbed
from bench.peers.sides import Schedule, Segment, our_side, their_side
from ticker.bench.report import machine
from ticker.bench.rig.rig import Cores, Load
from ticker.errors import BenchError

TICKS = (1.0, 0.107, 0.01)  # s between two ticks of a symbol
FAST = TICKS[-1]  # conflation would leave most of it out: all trades are delivered
LOAD = Load(clients=2000, symbols=200, per_client=5, nap_us=NAP_US)
FIXED = (0.1, 0.03, 0.01, 0.001)  # flush intervals, s
TIMERS = (0.1, 0.03, 0.01, 0.001)  # of the peers that carry every rate, s
FEW_TIMERS = (0.1, 0.01)  # of the others
SECONDS = 2.0
LEAD_IN_SECONDS = 1.0
ROUNDS = 2
PRIORITY = 1  # real-time; the publishers stand before that
OURS = "ours"


@dataclass(frozen=True)
class Server:
    """A server set in one way. `line`: its line in the charts; `ticks`: the rates of its turns."""

    name: str
    line: str
    how: str
    load: Load
    ticks: tuple[float, ...]
    peer: Peer | None = None


def servers() -> Iterator[Server]:
    """Ours at every pace, then the peers."""
    for how, line, load in paces():
        yield Server(OURS, line, how, load, TICKS[:-1])
        yield Server(OURS, line, how, replace(load, channel="trades", encoding="json"), (FAST,))
    for peer in PEERS:
        if not peer.timed or peer.name == "aiohttp":  # which is there with uvloop
            continue
        ticks = TICKS if peer.heavy else TICKS[:-1]
        yield Server(peer.name, peer.title, "at once", LOAD, ticks, peer)
        for timer in TIMERS if peer.heavy else FEW_TIMERS:
            how = f"timer {timer * 1e3:g} ms"
            yield Server(peer.name, peer.title, how, LOAD, ticks, peer.by_timer(timer))


def paces() -> Iterator[tuple[str, str, Load]]:
    """(how, line, load) of ours."""
    for interval in FIXED:
        load = replace(LOAD, pace="fixed", flush_interval=interval)
        yield f"fixed, {interval * 1e3:g} ms", "ours, fixed", load
    adaptive = replace(LOAD, pace="adaptive")
    yield "adaptive (the default)", "ours, adaptive", adaptive
    for pace in ("immediate", "saver"):
        yield pace, "ours, client's pace", replace(adaptive, client_pace=pace)


def turns(server: Server, cores: Cores) -> dict[float, Segment]:
    """One turn at each of its rates, up to the first that it does not get done."""
    with ExitStack() as stack:
        if server.peer is None:
            side = our_side(stack, server.load, cores)
        else:
            side = their_side(stack, server.peer, server.load, cores)
        side.admit()
        found = {}
        for every in server.ticks:
            found[every] = side.segment(Schedule(every, SECONDS, LEAD_IN_SECONDS, every))
            if not found[every].drained:
                break
        return found


def point(
    server: Server, every: float, segments: list[Segment], foreign: float = FOREIGN
) -> dict[str, Any]:
    """The figures of a server at one rate over the rounds that nothing disturbed: other programs do
    where they took more than `foreign` of the machine. It is void if all rounds were disturbed."""
    reasons = [disturbed(each, foreign) or undone(each) for each in segments]
    whole = [each for each, why in zip(segments, reasons, strict=True) if not why]
    segments = whole or segments
    costs = [each.cpu_ns / max(each.counted, 1) / 1e3 for each in segments]
    return {
        "server": server.name,
        "line": server.line,
        "how": server.how,
        "every_ms": every * 1e3,
        "cpu_us": round(statistics.median(costs), 3),
        "cpu_us_each": [round(each, 3) for each in costs],
        "p50_us": round(statistics.median(each.latency["p50_us"] for each in segments), 1),
        "p99_us": round(statistics.median(each.latency["p99_us"] for each in segments), 1),
        "delivered": round(min(each.delivered / each.expected for each in segments), 4),
        "core": round(statistics.median(each.cpu_ns for each in segments) / 1e9 / SECONDS, 3),
        "foreign": round(max(each.foreign for each in segments), 2),
        "void_rounds": len(reasons) - len(whole),
        "void": None if whole else reasons[-1],
    }


def undone(segment: Segment) -> str | None:
    """The reason why a turn is of no use because of its server."""
    return None if segment.drained else "it was still sending long after the last tick"


def measure(names: set[str], rounds: int, foreign: float) -> list[dict[str, Any]]:
    """The points of these servers, each measured once in every round; those of peers that are not
    installed are left out."""
    cores = Cores.choose()
    wanted = [each for each in servers() if not names or each.name in names]
    found: dict[tuple[Server, float], list[Segment]] = {}
    for turn in range(rounds):
        for server in wanted:
            if server.peer is not None and (missing := server.peer.missing()):
                print(f"{server.line}: left out: {missing}", flush=True)
                continue
            try:
                for every, segment in turns(server, cores).items():
                    found.setdefault((server, every), []).append(segment)
                    told(turn, server, point(server, every, [segment], foreign))
            except BenchError as error:
                print(f"{server.line}, {server.how}: {error}", file=sys.stderr, flush=True)
    return [point(*key, segments, foreign) for key, segments in found.items()]


def told(turn: int, server: Server, made: dict[str, Any]) -> None:
    """A line about one turn."""
    print(
        f"round {turn + 1}: {server.name}, {server.how}, a tick each {made['every_ms']:g} ms: "
        f"{made['cpu_us']:.2f} µs, p50 {made['p50_us'] / 1e3:.3g} ms, "
        f"p99 {made['p99_us'] / 1e3:.3g} ms, {made['delivered']:.0%} delivered "
        f"{made['void'] or ''}",
        flush=True,
    )


def report(points: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    """The points with where, when and how they were made."""
    versions = {peer.name: peer.versions() for peer in PEERS if peer.timed and not peer.missing()}
    return {
        "command": shlex.join(["python", "-m", "bench.peers.equal_latency", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "ours": machine.versions(),
        "peers": versions,
        "clients": LOAD.clients,
        "symbols": LOAD.symbols,
        "per_client": LOAD.per_client,
        "seconds": SECONDS,
        "rounds": rounds,
        "points": points,
    }


def merged(fresh: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The fresh report, with the points of the servers that were not measured again."""
    if not names or not page.REPORT.exists():
        return fresh
    before = json.loads(page.REPORT.read_text(encoding="utf-8"))
    kept = [each for each in before["points"] if each["server"] not in names]
    return {**fresh, "points": [*kept, *fresh["points"]]}


def main() -> int:
    """Measure, then write the page; 1 when a point is void."""
    known = sorted({each.name for each in servers()})
    parser = argparse.ArgumentParser(prog="python -m bench.peers.equal_latency")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--foreign",
        type=float,
        default=FOREIGN,
        help="the share of the machine that other programs may take; the page says what they took",
    )
    parser.add_argument("--realtime", action="store_true", help="before all other programs")
    parser.add_argument("--page", action="store_true", help="only make the page of the report")
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"no server {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if not options.page:
        names = set(options.names)
        if options.realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
        points = measure(names, options.rounds, options.foreign)
        found = merged(report(points, options.rounds), names)
        page.REPORT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    found = json.loads(page.REPORT.read_text(encoding="utf-8"))
    page.write(found)
    void = [each for each in found["points"] if each["void"]]
    for each in void:
        print(f"void: {each['line']}, {each['how']}, {each['every_ms']:g} ms: {each['void']}")
    return 1 if void else 0


if __name__ == "__main__":
    raise SystemExit(main())
