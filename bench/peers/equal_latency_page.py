"""docs/equal-latency.md, its charts and the table in README.md, from bench/equal-latency.json.

Law: nothing is claimed that the report does not say, and no figure of a void turn is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bench.runs import ROOT
from ticker.bench.report.axis import Axis
from ticker.bench.report.plot import Series, chart, stack
from ticker.errors import BenchError

Report = dict[str, Any]
Point = dict[str, Any]

REPORT = ROOT / "bench" / "equal-latency.json"
PAGE = ROOT / "docs" / "equal-latency.md"
PLOTS = ROOT / "bench" / "plots"
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- made: equal-latency -->\n).*?(<!-- end -->)", re.DOTALL)
OURS = "ours"
RIVAL = "uwebsockets"  # the cheapest peer, which README.md names
PERCENTILES = ("p50", "p99")


class Relation(NamedTuple):
    """Ours to a peer at one latency. `bound`: "≤" where the peer is never so fast, so that it would
    cost at least what its fastest point does; "≥" where ours is slower than all of its points."""

    ratio: float
    bound: str

    def __str__(self) -> str:
        return f"{self.bound}{' ' if self.bound else ''}{self.ratio:.2f}"


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (latency, cost) points that no other one beats in both, the fastest first."""
    kept: list[tuple[float, float]] = []
    for latency, cost in sorted(points):
        if not kept or cost < kept[-1][1]:
            kept.append((latency, cost))
    return kept


def relation(latency: float, cost: float, peer: Sequence[tuple[float, float]]) -> Relation:
    """A cost at a latency to that of a peer at the same latency, between its measured points by
    equal factors.

    Raises:
        BenchError: the peer has no points.
    """
    line = front(peer)
    if not line:
        raise BenchError("no peer to compare with")
    if latency < line[0][0]:
        return Relation(cost / line[0][1], "≤")
    if latency > line[-1][0]:
        return Relation(cost / line[-1][1], "≥")
    for (fast, dear), (slow, cheap) in pairwise(line):
        if latency <= slow:
            along = math.log(latency / fast) / math.log(slow / fast)
            return Relation(cost / (dear * (cheap / dear) ** along), "")
    return Relation(cost / line[-1][1], "")


def valid(found: Report, every: float) -> list[Point]:
    """The points at one rate that are not void."""
    return [each for each in found["points"] if each["every_ms"] == every and not each["void"]]


def rates(found: Report) -> list[float]:
    """ms between two ticks of a symbol, the fastest first."""
    return sorted({each["every_ms"] for each in found["points"]})


def costs(points: Sequence[Point], server: str, percentile: str) -> list[tuple[float, float]]:
    """(latency, CPU) in µs of a server's points."""
    return [
        (each[f"{percentile}_us"], each["cpu_us"]) for each in points if each["server"] == server
    ]


def write(found: Report) -> None:
    """All that is made of the report."""
    for every in rates(found):
        path = PLOTS / f"equal-latency-{every:g}ms.svg"
        if valid(found, every):
            path.write_text(plot(found, every), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    PAGE.write_text(render(found), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    table = "\n".join(summary(found))
    README.write_text(
        BLOCK.sub(lambda block: f"{block[1]}{table}\n{block[2]}", readme), encoding="utf-8"
    )


def plot(found: Report, every: float) -> str:
    """CPU per delivery over p50, and over p99, at one rate."""
    points = valid(found, every)
    drawn = []
    for percentile in PERCENTILES:
        lines: dict[str, list[tuple[float, float]]] = {}
        for each in points:
            at = (max(each[f"{percentile}_us"], 1.0), each["cpu_us"])
            lines.setdefault(short(each["line"]), []).append(at)
        drawn.append(
            chart(
                f"A tick of each symbol every {every:g} ms",
                Axis(f"{percentile} from a tick to its receipt", unit="us", log=True),
                Axis("CPU per delivery", unit="us", log=True),
                [Series(line, sorted(at)) for line, at in lines.items()],
                note="" if percentile == PERCENTILES[0] else made_by(found),
            )
        )
    return stack(drawn)


def short(line: str) -> str:
    """A line's name in a chart, without what stands in brackets."""
    return line.partition(" (")[0].partition(", the same")[0].partition(", broadcast")[0]


def made_by(found: Report) -> str:
    """The command, the machine and our version."""
    machine, ours = found["machine"], found["ours"]
    return (
        f"{found['command']} · {machine['cpu']}, {machine['cores']} cores, Linux "
        f"{machine['kernel']} · ticker {ours['ticker']} ({ours.get('commit', 'no commit')}) · "
        f"{found['date'][:10]}"
    )


def render(found: Report) -> str:
    """The page."""
    lines = ["# Cost at equal latency", "", *introduction(found), ""]
    for every in rates(found):
        points = valid(found, every)
        rate = round(found["clients"] * found["per_client"] / every * 1e3)
        lines += [f"## A tick every {every:g} ms: {rate:,} deliveries due a second", ""]
        if points:
            path = f"../bench/plots/equal-latency-{every:g}ms.svg"
            lines += [f"![CPU per delivery over latency]({path})", "", *table(points), ""]
            lines += ["Ours to each peer at the same p50:", "", *relations(points), ""]
        lines += void(found, every)
    lines += ["## What ran", "", made_by(found), ""]
    lines += [f"- {name}: {packages(each)}" for name, each in found["peers"].items()]
    return "\n".join(lines).rstrip() + "\n"


def packages(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def introduction(found: Report) -> list[str]:
    foreign = max((each["foreign"] for each in found["points"] if not each["void"]), default=0)
    return [
        "`make bench-equal-latency` writes this page from bench/equal-latency.json; no figure is "
        "typed by hand.",
        "",
        f"{found['clients']:,} clients have {found['per_client']} of {found['symbols']:,} symbols "
        "each. All symbols trade equally often. Each server runs by itself on one core. Clients "
        "and publisher run on the others, and are those of "
        "[Beside other servers](../bench/PEERS.md), which also says how each server is set up.",
        "",
        "A server that sends later sends less often, since more updates share one send. So the "
        "cost of a delivery says little without its latency. `at once`: the server publishes each "
        "tick when it comes. `timer`: it collects the ticks and publishes them together. That is "
        "ten lines in each of these servers, which PEER_TIMER_MS turns on in bench/peers/servers. "
        "It saves little where each message is a write of its own: in aiohttp and websockets.",
        "",
        "CPU is user and system time of the server's processes by delivered updates. Latency is "
        "from a tick to its receipt. Clients look for messages each 0.25 ms. `delivered` is the "
        "share of the ticks that reached their subscribers one by one: `ticker` conflates on "
        "`price`, so a slow pace leaves out what a newer price has replaced. At the fastest rate "
        "clients of `ticker` are on the channel `trades`, which leaves nothing out. Each figure is "
        f"the median of {found['rounds']} round(s) of {found['seconds']:g} s. Other programs took "
        f"up to {foreign:.0%} of the machine.",
    ]


def ms(microseconds: float) -> str:
    """Milliseconds to three digits."""
    return f"{float(f'{microseconds / 1e3:.3g}'):g}"


def table(points: Sequence[Point]) -> list[str]:
    """All servers of one rate."""
    lines = [
        "| server | how | CPU µs per delivery | p50 ms | p99 ms | delivered | share of a core |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for each in points:
        cells = (
            short(each["line"]).partition(",")[0],
            each["how"],
            f"{each['cpu_us']:.2f}",
            ms(each["p50_us"]),
            ms(each["p99_us"]),
            f"{each['delivered']:.0%}",
            f"{each['core']:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def void(found: Report, every: float) -> list[str]:
    """The points that are left out, with their reasons."""
    lines = [
        f"- Left out: {short(each['line']).partition(',')[0]}, {each['how']}: {each['void']}."
        for each in found["points"]
        if each["every_ms"] == every and each["void"]
    ]
    return [*lines, ""] if lines else []


def relations(points: Sequence[Point]) -> list[str]:
    """Our paces by peers. Below 1: ours costs less."""
    peers = list(dict.fromkeys(each["server"] for each in points if each["server"] != OURS))
    names = {each["server"]: short(each["line"]) for each in points}
    lines = [
        f"| ours | p50 ms | {' | '.join(names[peer] for peer in peers)} |",
        f"| --- | --: |{' --: |' * len(peers)}",
    ]
    for each in points:
        if each["server"] == OURS:
            cells = [str(beside(each, points, peer)) for peer in peers]
            lines.append(f"| {each['how']} | {ms(each['p50_us'])} | {' | '.join(cells)} |")
    said = (
        "Below 1 ours costs less. Between a peer's points its cost is interpolated. ≤: the peer is "
        "never so fast, and its fastest point is taken; ≥: ours is slower than all of the peer's."
    )
    return [*lines, "", said]


def beside(ours: Point, points: Sequence[Point], peer: str) -> Relation:
    """One of our points to a peer at its p50."""
    return relation(ours["p50_us"], ours["cpu_us"], costs(points, peer, "p50"))


def summary(found: Report) -> list[str]:
    """The table of README.md: two of our paces beside the peer that costs least."""
    names = {each["server"]: short(each["line"]) for each in found["points"]}
    lines = [
        "| a tick of each symbol | pace | p50 / p99 | CPU per delivery | "
        f"÷ {names[RIVAL]} at this p50 |",
        "| --- | --- | --: | --: | --: |",
    ]
    return [*lines, *(row for every in rates(found) for row in summary_rows(found, every))]


def summary_rows(found: Report, every: float) -> Iterator[str]:
    points = valid(found, every)
    for each in points:
        if each["server"] != OURS or each["how"] not in ("adaptive (the default)", "fixed, 100 ms"):
            continue
        try:
            ratio = str(beside(each, points, RIVAL))
        except BenchError:
            ratio = "–"
        latency = f"{ms(each['p50_us'])} / {ms(each['p99_us'])} ms"
        yield f"| {every:g} ms | {each['how']} | {latency} | {each['cpu_us']:.2f} µs | {ratio} |"
