"""The figures in docs/performance.md: everything between `<!-- made: NAME -->` and `<!-- end -->`.

Law: each block is made of reports alone; one whose reports are missing stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import ratios, sizing
from bench.runs import ROOT
from ticker.bench.scaling import RATIO
from ticker.errors import BenchError

PAGE = ROOT / "docs" / "performance.md"
BLOCK = re.compile(r"(<!-- made: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
INTERVALS = (0.1, 0.25, 1.0)

Report = dict[str, Any]
Reports = dict[str, Report]


def write(reports: Reports, page: Path = PAGE) -> None:
    """Make the page's blocks anew from the reports that are there."""
    text = page.read_text(encoding="utf-8")
    page.write_text(filled(text, reports), encoding="utf-8")


def filled(text: str, reports: Reports) -> str:
    """The text with its blocks made anew.

    Raises:
        BenchError: a block has a name that no function makes.
    """

    def made(block: re.Match[str]) -> str:
        head, name, tail = block.groups()
        if name not in BLOCKS:
            raise BenchError(f"performance.md: no block {name}; there are {', '.join(BLOCKS)}")
        try:
            lines = BLOCKS[name](reports)
        except (BenchError, KeyError) as missing:
            print(f"performance.md: {name} stays as it was: no {missing}")
            return block.group()
        return head + "\n".join(lines) + "\n" + tail

    return BLOCK.sub(made, text)


def table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Markdown; the first column stands left, the others right."""
    return [
        f"| {' | '.join(names)} |",
        f"| --- |{' --: |' * (len(names) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def source(found: Report) -> str:
    """The command, and what it ran on."""
    machine = found["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}"
    void = f" **Void**: {found['void']}." if found.get("void") else ""
    return f"`{found['command']}`, {where}, {found['date'][:10]}.{void}"


def sweep(name: str) -> Callable[[Reports], list[str]]:
    """A table of a scaling run."""

    def lines(reports: Reports) -> list[str]:
        found = reports[f"scaling-{name}"]
        rows = [
            (
                f"{row[found['over']]:,}",
                f"{row['deliveries_per_second']:,}",
                f"{row['cpu_us_per_client_flush']:.2f}",
                f"{row['send_loop_us_per_send']:.2f}",
                f"{row[RATIO]:.2f}" + (" (void)" if row["void"] else ""),
                f"{row['cpu_us_per_delivery']:.3f}",
            )
            for row in found["points"]
        ]
        return [
            *table(
                (
                    found["what"],
                    "deliveries/s",
                    "µs per client flush",
                    "µs per send of the C loop",
                    "ratio",
                    "µs per delivery",
                ),
                rows,
            ),
            "",
            f"Largest to smallest ratio: {1 + found['cpu_ratio_spread']:.2f}. {source(found)}",
        ]

    return lines


def profile(reports: Reports) -> list[str]:
    """The CPU time of a worker by place."""
    found = reports["profile"]
    most = list(found["functions"].items())[:6]
    return [
        *table(
            ("where", "share of the worker's CPU"),
            [(what, f"{share:.1%}") for what, share in found["places"].items()],
        ),
        "",
        f"{found['kernel_share']:.0%} of {found['samples']:,} samples are in the kernel. "
        "The functions with the most: "
        + ", ".join(f"`{name}` {share:.1%}" for name, share in most)
        + f". {source(found)}",
    ]


def latency(reports: Reports) -> list[str]:
    """Percentiles at several shares of one core."""
    found = reports["latency-load"]
    return [
        *table(
            ("share of one core", "clients", "p50 ms", "p99 ms", "p99.9 ms", "highest ms"),
            [
                (
                    f"{row['share_of_capacity']:.0%}",
                    f"{row['clients']:,}",
                    *(f"{row[f'update_{each}_us'] / 1000:,.1f}"
                      for each in ("p50", "p99", "p99.9", "max")),
                )
                for row in found["sweep"]
            ],
        ),
        "",
        source(found),
    ]  # fmt: skip


def capacity(reports: Reports) -> list[str]:
    """The highest load of one worker that held."""
    found = reports["capacity"]
    held = ""
    if found["clients"]:
        held = (
            f"There it made {found['deliveries_per_second']:,} deliveries/s of "
            f"{found['cpu_seconds_per_million_deliveries']:.2f} µs of CPU each, conflating "
            f"{found['trades_per_delivery']:.2f} trades into each. "
        )
    return [
        f"**{found['capacity']}** of one gateway worker on a core of its own, with p99 under "
        f"{found['bound_us'] / 1000:g} ms and nothing lost; what kept it from more: "
        f"{found['bounded_by']}. {held}{source(found)}",
        "",
        "![Latency over the steps of the search](../bench/plots/capacity.svg)",
    ]


def inputs(reports: Reports) -> list[str]:
    """The inputs of the sizing rule, with their runs."""
    found = sizing.measured(reports)
    commands = {name: f"`{reports[name]['command']}`" for name in sizing.NEEDED}
    rows = [
        ("messages that a feed worker takes in, per CPU second, both lines heard",
         f"{found.feed_messages_per_core:,.0f}", commands["ingest-udp"]),
        ("bytes of a message on a line", f"{found.feed_bytes:.1f}", commands["ingest-udp"]),
        ("c_tick: CPU of a gateway worker for each tick of the feed",
         f"{found.tick_us:.4f} µs", commands["scaling-ticks"]),
        (f"c_flush: CPU of a flush of {found.flush_updates:.1f} updates at "
         f"{found.clients_per_worker:,} clients",
         f"{found.flush_us:.2f} µs", commands["scaling-clients"]),
        ("c_update: CPU of one more update in a flush",
         f"{found.update_us:.4f} µs" if found.update_us else "less than the noise: 0",
         commands["scaling-per-client"]),
        ("clients of one worker, the most that was measured",
         f"{found.clients_per_worker:,}", commands["scaling-clients"]),
        ("bytes of a delivery in ticker.v1.json",
         f"{found.delivery_bytes:.1f}", commands["fanout-json"]),
        ("memory of a client in the worker, after traffic",
         f"{found.user_kb:.2f} kB", commands["connections"]),
        ("memory of a client's socket in the kernel, after traffic",
         f"{found.kernel_kb:.2f} kB", commands["connections"]),
        ("memory of a worker without clients",
         f"{found.worker_mb:.0f} MB", commands["connections"]),
    ]  # fmt: skip
    return table(("measured", "figure", "command"), rows)


def fleet(reports: Reports) -> list[str]:
    """The plans at several flush intervals."""
    found, wanted, box = sizing.measured(reports), sizing.Fleet(), sizing.Box()
    plans = [sizing.plan(wanted, box, found, each) for each in INTERVALS]
    names = ("", *(f"flush interval {each * 1000:g} ms" for each in INTERVALS))
    columns = [described(each, wanted, found) for each in plans]
    rows = [(what, *(column[what] for column in columns)) for what in columns[0]]
    return [
        f"{wanted.ticks:,.0f} ticks/s of {wanted.symbols:,} symbols, {wanted.clients:,} clients, "
        f"{wanted.deliveries:,.0f} deliveries/s; boxes of {box.cores} cores ({box.kernel_cores} of "
        f"them for the network's interrupts and the system), {box.memory_gb:g} GB and "
        f"{box.gbit:g} Gbit/s, {box.share:.0%} of it used:",
        "",
        *table(names, rows),
    ]


def described(plan: sizing.Plan, wanted: sizing.Fleet, found: sizing.Measured) -> dict[str, str]:
    """A plan's column of the table."""
    flushing = wanted.clients * plan.flushes * found.flush_cost(plan.updates) / 1e6
    reading = plan.workers * wanted.ticks * found.tick_us / 1e6
    return {
        "sends per client and second": f"{plan.flushes:g}",
        "updates in each": f"{plan.updates:g}",
        "CPU of all client flushes, cores": f"{flushing:,.0f}",
        "CPU of all workers for reading every tick, cores": f"{reading:,.0f}",
        "clients per worker": f"{plan.clients_per_worker:,} (by {plan.bound})",
        "**gateway workers, a core each**": f"**{plan.workers:,}**",
        "cores for feed workers, in each box": f"{plan.feed_cores}",
        "network out, with headers, Gbit/s": f"{plan.gbit:,.0f}",
        "memory of clients, sockets and workers, GB": f"{plan.memory_gb:,.0f}",
        **{f"boxes by {name}": f"{boxes:,.1f}" for name, boxes in plan.boxes_by.items()},
        "**boxes**": f"**{plan.boxes}**",
    }


def engine(reports: Reports) -> list[str]:
    """The load of a broker between feed and gateways."""
    found, wanted, box = sizing.measured(reports), sizing.Fleet(), sizing.Box()
    boxes = [sizing.plan(wanted, box, found, each).boxes for each in INTERVALS]
    conflated = wanted.symbols / INTERVALS[0]
    rows = []
    for what, rate, size in (
        ("every tick, as the exchange's own message", wanted.ticks, found.feed_bytes),
        ("every tick, in ticker.v1.json", wanted.ticks, found.delivery_bytes),
        (f"newest price of each symbol, each {INTERVALS[0] * 1000:g} ms", conflated,
         found.delivery_bytes),
    ):  # fmt: skip
        gbit = rate * size * 8 / 1e9
        out = (f"{rate * count / 1e6:,.1f} M, {gbit * count:,.1f}" for count in boxes)
        rows.append((what, f"{rate:,.0f}", f"{gbit:.2f}", *out))
    names = tuple(f"out to {count} boxes: msg/s, Gbit/s" for count in boxes)
    lines = table(("what goes in", "msg/s", "Gbit/s", *names), rows)
    return [*lines, *broker(wanted.ticks * boxes[0], conflated * boxes[0], boxes[0])]


def broker(every: float, newest: float, boxes: int, folder: Path = ratios.PEERS) -> list[str]:
    """nats-server's CPU for so many messages per second out, where `make bench-peers` measured it;
    to many receivers, over WebSocket, so it is an upper bound."""
    path = folder / "nats.json"
    loads = json.loads(path.read_text(encoding="utf-8")).get("loads") if path.exists() else None
    costs = [load["theirs"]["cpu_us_per_delivery"] for load in (loads or {}).values()]
    if not costs:
        return []
    cost = min(costs)
    return [
        "",
        f"At the {cost:.2f} µs of CPU that a delivery cost nats-server at best (`make "
        f"bench-peers`, WebSocket), {boxes} boxes take {every * cost / 1e6:,.1f} of its cores for "
        f"every tick, and {newest * cost / 1e6:,.1f} for the newest prices.",
    ]


def together(reports: Reports) -> list[str]:
    """Ingest and delivery on one box, with the CPU of each process."""
    found = reports["box"]
    cpu = found["cpu"]
    per = {
        **{name: f"{ns:.0f} ns a message" for name, ns in found["cpu_ns_per_message"].items()},
        **{name: f"{us:.2f} µs a flush" for name, us in found["cpu_us_per_client_flush"].items()},
    }
    held = "everything held" if not found["missed"] else f"**missed**: {found['missed']}"
    return [
        *table(
            ("", "figure"),
            [
                ("messages in per second", f"{found['messages_per_second']:,}"),
                ("of them trades", f"{found['trades_per_second']:,}"),
                ("messages sent", f"{found['messages_sent']:,}"),
                ("lost", f"{found['messages_lost']:,}"),
                ("updates delivered per second", f"{found['updates_per_second']:,}"),
                ("clients that lagged or were lost", f"{found['clients_lagged_or_lost']:,}"),
                ("prices that were not the newest at the end",
                 f"{found['prices_not_newest_at_end']:,}"),
                *((f"trade to client, {each}", f"{found[f'update_{each}_us'] / 1000:,.1f} ms")
                  for each in ("p50", "p99", "p99.9", "max")),
            ],
        ),
        "",
        *table(
            ("process", "cores", "of it"),
            [
                (name, f"{value:.3f}", per.get(name, ""))
                for name, value in sorted(cpu.items(), key=lambda each: -float(each[1]))
            ],
        ),
        "",
        f"{found['cores_used']:.2f} of {found['machine']['cores']} cores; {held}. {source(found)}",
    ]  # fmt: skip


BLOCKS: dict[str, Callable[[Reports], list[str]]] = {
    "clients": sweep("clients"),
    "symbols": sweep("symbols"),
    "hot": sweep("hot"),
    "per-client": sweep("per-client"),
    "ticks": sweep("ticks"),
    "workers": sweep("workers"),
    "profile": profile,
    "latency": latency,
    "capacity": capacity,
    "box": together,
    "inputs": inputs,
    "fleet": fleet,
    "engine": engine,
}
