"""Ingest: messages per second of a feed worker.

`replay` runs a generated day through `ticker replay` on one core, in any format that `ticker
simulate` writes. Beside it run two programs in C: limits/c/walk.c walks the same file and does
nothing, and limits/c/book.c keeps the bare books of the same market's day in ITCH. The second one
is the yardstick: it computes and misses the cache like a decoder, so a slower decoder shows on a
slow machine, too (docs/decisions/yardstick-of-ingest.md). `udp` lets
`ticker simulate` send to `ticker serve` over loopback, simulator and server on cores of their own,
and then asks the feed's segment what arrived, what was lost, and how long it took from receipt to
publication.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticker.bench.report import machine
from ticker.bench.rig.part import limit_command
from ticker.bench.rig.rig import Cores
from ticker.bench.rig.server import Server, free_lines, pin, settle
from ticker.errors import BenchError
from ticker.shm.counters import FEED_HISTOGRAMS, Counters, Heartbeat, histogram, percentile
from ticker.shm.header import Mapping

DAYS = machine.KEPT
SHARES = (
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("max", 1.0),
)


@dataclass(frozen=True)
class Format:
    """The commands that make, walk and replay a protocol's day."""

    simulate: str
    suffix: str
    framing: str
    """Of ticker/bench/limits/c/walk.c."""
    options: tuple[str, ...] = ()
    """Of `ticker replay`, beside the protocol."""
    messages: int = 10_000_000
    """Of the market's day, in ITCH."""


FORMATS = {
    "itch50": Format("itch", "itch", "binaryfile", ("--session", "binaryfile"), 20_000_000),
    "pitch": Format("pitch", "pcap", "unit"),
    "pillar": Format("pillar", "pcap", "xdp"),
    "tops": Format("tops", "pcap", "iextp", (), 20_000_000),
    "deep": Format("deep", "pcap", "iextp"),
    "fix": Format("fix", "fix", "fix", (), 4_000_000),
    "json": Format("json", "json", "lines", ("--mapping", "polygon"), 4_000_000),
}


def day(protocol: str, symbols: int, messages: int, seed: int) -> Path:
    """A generated day; made once for each set of arguments."""
    made = FORMATS[protocol]
    path = DAYS / f"{protocol}-{symbols}-{messages}-{seed}.{made.suffix}"
    if not path.exists():
        DAYS.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{os.getpid()}-{path.name}")
        arguments = ("--symbols", symbols, "--messages", messages, "--seed", seed)
        _ticker(("simulate", made.simulate, *arguments, "--output", fresh), None)
        fresh.replace(path)
    return path


def replay(
    protocol: str, symbols: int, messages: int | None, seed: int, repeat: int
) -> dict[str, Any]:
    """Messages per second of `ticker replay`, of the bare walk over the same day, and of the bare
    book over the same market's day in ITCH; medians of `repeat` turns each."""
    made = FORMATS[protocol]
    cores = Cores.choose()
    size = messages or made.messages
    path = day(protocol, symbols, size, seed)
    turn = {
        "walk": limit_command("walk", made.framing, str(path)),
        "book": limit_command("book", str(day("itch50", symbols, size, seed))),
    }
    command = ("replay", path, "--protocol", protocol, *made.options, "--json")
    limits: dict[str, list[dict[str, Any]]] = {name: [] for name in turn}
    runs = []
    for _ in range(repeat):
        for name, limit in turn.items():
            limits[name].append(json.loads(_run(limit, cores.tested)))
        runs.append(json.loads(_ticker(command, cores.tested)))
    return _replay_results(path, limits["walk"], limits["book"], runs)


def _replay_results(
    path: Path,
    walks: list[dict[str, Any]],
    books: list[dict[str, Any]],
    runs: list[dict[str, Any]],
) -> dict[str, Any]:
    count = runs[0]["messages"]
    walk, book = (
        statistics.median(each["cpu_ns"] / each["messages"] for each in limit)
        for limit in (walks, books)
    )
    ns = statistics.median(each["cpu_seconds"] * 1e9 / each["messages"] for each in runs)
    void = None
    if any(each["messages"] != walks[0]["messages"] for each in (*runs, *walks)):
        void = f"replay saw {count} messages, the walk {walks[0]['messages']}"
    return {
        "messages": count,
        "file_bytes": path.stat().st_size,
        "messages_per_second": round(
            statistics.median(each["messages_per_second"] for each in runs)
        ),
        "messages_per_cpu_second": round(1e9 / ns),
        "ns_per_message": round(ns, 1),
        "walk_ns_per_message": round(walk, 1),
        "book_ns_per_message": round(book, 1),
        "cpu_ratio_to_book": round(ns / book, 3),
        "symbols_seen": len(runs[0]["symbols"]),
        "rejected": runs[0]["rejected"],
        "void": void,
    }


def udp(symbols: int, rate: int, duration: float, seed: int) -> dict[str, Any]:
    """The figures of `ticker serve` at `rate` messages per second on two lossless lines."""
    cores = Cores.choose()
    with tempfile.TemporaryDirectory() as folder:
        lines = free_lines()
        with Server(Path(folder), lines, core=cores.tested) as server:
            feed = server.feed
            cpu = -_feed_cpu(feed)
            said = json.loads(
                _ticker(
                    (
                        "simulate",
                        "itch",
                        "--symbols",
                        symbols,
                        "--rate",
                        rate,
                        "--seed",
                        seed,
                        "--duration",
                        duration,
                        "--line-a",
                        lines[0],
                        "--line-b",
                        lines[1],
                        "--json",
                    ),
                    cores.others[0],
                )
            )
            settle(feed)
            cpu += _feed_cpu(feed)
            return _udp_results(feed, said, rate, duration, cpu)


def _udp_results(
    feed: Mapping, said: dict[str, Any], rate: int, duration: float, cpu: int
) -> dict[str, Any]:
    counts = Counters(feed).as_dict()
    waits = {name: histogram(feed, index) for index, name in enumerate(FEED_HISTOGRAMS)}
    sent = said["messages"]
    void = None
    if sent < 0.98 * rate * duration:
        void = f"the simulator sent {sent / duration:.0f} messages/s, not {rate}"
    return {
        "messages_sent": sent,
        "messages_received": counts["messages"],
        "messages_lost": sent - counts["messages"],
        "messages_per_second": round(sent / duration),
        "feed_cpu": round(cpu / 1e9 / duration, 3),
        "feed_messages_per_cpu_second": round(counts["messages"] * 1e9 / max(cpu, 1)),
        **{
            f"{name}_{label}_us": percentile(counted, share) / 1000
            for name, counted in waits.items()
            for label, share in SHARES
        },
        "feed_counters": {name: value for name, value in counts.items() if value},
        "simulator": said,
        "void": void,
    }


def _feed_cpu(feed: Mapping) -> int:
    """CPU of the feed worker, which the segment names."""
    return machine.cpu_ns(Heartbeat(feed).pid)


def _ticker(arguments: tuple[object, ...], core: int | None) -> str:
    return _run([sys.executable, "-m", "ticker", *map(str, arguments)], core)


def _run(argv: list[str], core: int | None) -> str:
    """The output of a program; on one core if one is given."""
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        preexec_fn=None if core is None else pin(core),
    )
    if done.returncode:
        raise BenchError(
            f"{' '.join(argv[:6])} ended with {done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    return done.stdout
