"""bench/PEERS.md from the reports in build/peers/results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.peers.catalogue import HERE, PEERS, SERVERS, Peer
from bench.peers.measure import INTERVAL, LEAD_IN_SECONDS, LEAD_INTERVAL, LOADS, NAP_US
from bench.peers.search import BOUND_US, COMPLETE

Report = dict[str, Any]
PAGE = HERE.parent / "PEERS.md"
REASONS = HERE / "reasons.md"
DASH = "–"


def render(reports: dict[str, Report]) -> str:
    """The whole page; `reports` by the name of their peer, and `ours`."""
    compared = [peer for peer in PEERS if reports.get(peer.name, {}).get("loads")]
    lines = ["# Beside other servers", "", *introduction(), ""]
    for name, setting in LOADS.items():
        lines += [f"## {title(name)}", "", *table(compared, reports, name, setting.goal), ""]
    lines += ["## How far one core goes", "", *searches(compared, reports), ""]
    if REASONS.exists():
        lines += [REASONS.read_text(encoding="utf-8").strip(), ""]
    lines += ["## What ran", "", *runs(reports), "", "## Set-up of each side", ""]
    for peer in PEERS:
        lines += [f"### {peer.title}", "", f"`bench/peers/servers/{peer.file}`", ""]
        lines += [head(SERVERS / peer.file), ""]
    return "\n".join(lines).rstrip() + "\n"


def introduction() -> list[str]:
    return [
        "Written by `make bench-peers` from its reports; no figure here is typed by hand.",
        "",
        "**These ratios are not at equal latency.** Ours runs at a fixed pace of 100 ms here, and "
        "the peers publish each tick at once. A peer that publishes by a timer costs less, too: "
        "[Cost at equal latency](../docs/equal-latency.md) has all of them at several latencies.",
        "",
        "**The work.** Our gateway worker and one peer are pinned to the same core. They take "
        "turns on it, a segment each. Both serve the same clients "
        "(ticker/bench/swarm/swarm.pyx). A client reads every frame, and checks symbol, order "
        "and price of every update. Both get the same ticks: the same symbols, the same JSON of"
        f" some 85 bytes, one tick of each symbol per {INTERVAL * 1e3:g} ms. Our flush interval "
        "is the default, 100 ms. A tick that comes before the flush of its predecessor is "
        f"conflated, so the {INTERVAL * 1e3 - 100:.0f} ms between the two intervals leave room "
        "for jitter. Of five rounds of ours at 5 symbols on an idle machine, one was complete "
        "at 103 ms, two at 105 ms, and all at 107 ms and at 110 ms. A round is void if an "
        "update did not reach each of its subscribers, on either side. Void rounds are "
        "repeated, so no figure gains by conflation.",
        "",
        "**The figures.** CPU is user and system time of all processes of a server. It is "
        f"counted from the moment when the server has run for {LEAD_IN_SECONDS:g} s (at "
        f"{LEAD_INTERVAL * 1e3:g} ms per tick) until the last update is delivered. Deliveries "
        "are those of the same time. A ratio is the median over the turns, ours to theirs. The "
        "kernel's share is counted in ticks of 10 ms, so it is coarse for a server that used "
        "little. The publisher and the clients run on the other cores, and their CPU time is "
        "not counted. A round is void if they were the bottleneck. p50 and p99 are from a tick "
        "to its receipt. We hold an update back for up to a flush interval, so that several go "
        "out in one send; most peers send each at once. Memory is the growth of resident memory"
        " over all clients, connected and subscribed. The wait is from subscribe to snapshot, "
        "while all clients connect at once, 256 at a time.",
        "",
        f"**The clients** look at their sockets each {NAP_US / 1e3:g} ms, so each latency is up "
        "to that much longer. A client that sleeps is woken by the send that brings its update."
        " On one machine the server pays the CPU time of the wake-up; over a network it does "
        "not. The second table repeats the first with clients that are woken.",
    ]


def title(name: str) -> str:
    load = LOADS[name].load
    rate = round(load.clients * load.per_client / INTERVAL)
    woken = "" if load.nap_us else ", clients that are woken"
    return (
        f"{load.clients:,} clients × {load.per_client} of {load.symbols:,} symbols, "
        f"{rate:,} deliveries/s{woken}"
    )


def table(compared: list[Peer], reports: dict[str, Report], name: str, index: int) -> list[str]:
    lines = [
        "| peer | deliveries per CPU s | ours, same run | ratio | goal | "
        "| CPU µs per delivery (kernel) | ours | p50 / p99 ms | ours | kB per client | ours "
        "| wait p50 / p99 ms | ours |",
        "| --- | --: | --: | --: | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    sides = []
    for peer in compared:
        found = reports[peer.name]["loads"].get(name)
        if found:
            lines.append(row(peer, found, peer.goals[index]))
            sides += [found["ours"], found["theirs"]]
    return [*lines, *conditions(sides)]


def conditions(sides: list[Report]) -> list[str]:
    """How quiet it was around a table, and how far the generator was from being the bottleneck."""
    if not sides:
        return []
    generator, foreign = (max(side[name] for side in sides) for name in ("generator", "foreign"))
    return [
        "",
        f"In these rounds clients and publisher took up to {generator:.0%} of their core, other "
        f"programs up to {foreign:.0%} of the machine.",
    ]


def row(peer: Peer, found: Report, goal: float | None) -> str:
    ours, theirs = found["ours"], found["theirs"]
    verdict = "" if goal is None else "met" if found["ratio"] >= goal else "**missed**"
    cells = [
        peer.title,
        f"{theirs['deliveries_per_cpu_second']:,}",
        f"{ours['deliveries_per_cpu_second']:,}",
        f"**{found['ratio']}**",
        DASH if goal is None else f"≥ {goal:g}",
        f"void: {found['void']}" if found["void"] else verdict + again(found),
        *(cost(side) for side in (theirs, ours)),
        *(f"{ms(side['p50_us'])} / {ms(side['p99_us'])}" for side in (theirs, ours)),
        *(f"{side['kb_per_client']:g}" for side in (theirs, ours)),
        wait(theirs) if peer.snapshots else "no snapshot",
        wait(ours),
    ]
    return f"| {' | '.join(cells)} |"


def again(found: Report) -> str:
    """How many rounds had to be made again."""
    count = len(found["void_rounds"])
    return f" ({count} of {count + len(found['ratios'])} rounds void)" if count else ""


def cost(side: Report) -> str:
    """CPU per delivery, with the kernel's share where the report has it."""
    kernel = f" ({side['system']:.0%})" if "system" in side else ""
    return f"{side['cpu_us_per_delivery']:.2f}{kernel}"


def ms(microseconds: float) -> str:
    return f"{microseconds / 1e3:.3g}"


def wait(side: Report) -> str:
    return f"{ms(side['first_answer_p50_us'])} / {ms(side['first_answer_p99_us'])}"


def searches(compared: list[Peer], reports: dict[str, Report]) -> list[str]:
    """Capacities."""
    load = LOADS["5"].load
    lines = [
        f"The most deliveries per second at p99 < {BOUND_US / 1e6:g} s with at least "
        f"{COMPLETE:.0%} of the updates delivered (what is conflated away does not count), "
        f"{load.clients:,} clients × {load.per_client} symbols. The search raises the rate of "
        "the ticks; the number of clients stays. Ours has two rows. The channel `trades` (in "
        "`ticker.v1.json`) leaves nothing out and sends what there is every 100 ms, like the "
        "servers that do not conflate. The channel `price` conflates by design; its flush "
        "interval falls with the rate here, so that nothing is conflated away. The search ends "
        "within 30 %. Where the generator's core was full first, the table says so, and the "
        "figure is a lower bound.",
        "",
        "| server | deliveries/s | bound by |",
        "| --- | --: | --- |",
    ]
    rows = [("ours, `trades`", "ours", "search_trades"), ("ours, `price`", "ours", "search")]
    rows += [(peer.title, peer.name, "search") for peer in compared]
    for shown, name, kind in rows:
        found = reports.get(name, {}).get(kind)
        if found:
            bound = found["bound_by"] or "the search's last step held"
            most = found["deliveries_per_second"]
            lines.append(f"| {shown} | {DASH if most is None else f'{most:,}'} | {bound} |")
    return lines


def runs(reports: dict[str, Report]) -> list[str]:
    """Machine, versions and commands; what was skipped."""
    titles = {"ours": "ours", **{peer.name: peer.title for peer in PEERS}}
    lines = ["| | versions | command | when |", "| --- | --- | --- | --- |"]
    for name, report in reports.items():
        if reason := report.get("skipped") or report.get("failed"):
            kind = "skipped" if "skipped" in report else "failed"
            lines.append(f"| {titles[name]} | {kind}: {reason} | | {report['date']} |")
            continue
        versions = report.get("versions", {})
        shown = ", ".join(f"{key} {value}" for key, value in {**versions, **report["ours"]}.items())
        when = "; ".join([report["date"], *([report["kept"]] if "kept" in report else [])])
        lines.append(f"| {titles[name]} | {shown} | `{report['command']}` | {when} |")
    for peer in PEERS:
        if peer.name not in reports:
            lines.append(
                f"| {peer.title} | not measured yet: `make bench-peers ARGS={peer.name}` | | |"
            )
    machines = {
        f"{each['machine']['cpu']}, {each['machine']['cores']} cores, "
        f"{each['machine']['memory_gb']} GB, Linux {each['machine']['kernel']}"
        for each in reports.values()
    }
    return [*sorted(machines), "", *lines]


def head(path: Path) -> str:
    """The comment or docstring that an adapter begins with."""
    text = path.read_text(encoding="utf-8")
    if text.startswith('"""'):
        return text[3:].partition('"""')[0].strip()
    mark = "//" if path.suffix in (".mjs", ".go") else "#"
    lines = []
    for line in text.splitlines():
        if not line.startswith(mark):
            break
        lines.append(line.removeprefix(mark).removeprefix(" "))
    return "\n".join(lines).strip()
