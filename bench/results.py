"""bench/RESULTS.md from the reports of `ticker bench`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ticker.bench.report.report import figures

Report = dict[str, Any]
SKIPPED = {"bench", "command", "date", "machine", "versions", "parameters", "void"}


@dataclass(frozen=True)
class Goal:
    """A figure with a goal: its report, its name there, and the bound."""

    what: str
    run: str
    figure: str
    holds: Callable[[float], bool]
    bound: str


def at_most(bound: float) -> Callable[[float], bool]:
    """Holds for figures up to the bound."""
    return lambda found: found <= bound


def at_least(bound: float) -> Callable[[float], bool]:
    """Holds for figures from the bound on."""
    return lambda found: found >= bound


GOALS = (
    Goal(
        "Snapshot after subscribe, p99, 1,000 clients, feed running",
        "snapshot",
        "snapshot_p99_us",
        at_most(5000),
        "≤ 5,000 µs",
    ),
    Goal(
        "Ingest of a generated day, one core",
        "ingest",
        "messages_per_second",
        at_least(5_000_000),
        "≥ 5,000,000 /s",
    ),
    Goal(
        "PITCH of a generated day, messages per CPU second",
        "ingest-pitch",
        "messages_per_cpu_second",
        at_least(5_000_000),
        "≥ 5,000,000 /s",
    ),
    Goal(
        "Pillar, the same",
        "ingest-pillar",
        "messages_per_cpu_second",
        at_least(5_000_000),
        "≥ 5,000,000 /s",
    ),
    Goal(
        "DEEP, the same",
        "ingest-deep",
        "messages_per_cpu_second",
        at_least(5_000_000),
        "≥ 5,000,000 /s",
    ),
    Goal(
        "TOPS at 8,000 symbols, the same",
        "ingest-tops",
        "messages_per_cpu_second",
        at_least(8_000_000),
        "≥ 8,000,000 /s",
    ),
    Goal(
        "FIX 4.4, the same",
        "ingest-fix",
        "messages_per_cpu_second",
        at_least(1_000_000),
        "≥ 1,000,000 /s",
    ),
    Goal(
        "JSON by mapping, the same",
        "ingest-json",
        "messages_per_cpu_second",
        at_least(250_000),
        "≥ 250,000 /s",
    ),
    Goal(
        "Ingest over UDP at 1M messages/s: messages lost",
        "ingest-udp",
        "messages_lost",
        at_most(0),
        "0",
    ),
    Goal(
        "Ingest over UDP at 1M messages/s: receive to publish, p99",
        "ingest-udp",
        "receive_to_publish_p99_us",
        at_most(5000),
        "≤ 5,000 µs",
    ),
    Goal(
        "1M messages/s in and 1,000 clients × 5 symbols out, together: messages lost",
        "box",
        "messages_lost",
        at_most(0),
        "0",
    ),
    Goal(
        "The same: clients lost, or told that they lag",
        "box",
        "clients_lagged_or_lost",
        at_most(0),
        "0",
    ),
    Goal(
        "The same: trade to client, p99",
        "box",
        "update_p99_us",
        at_most(250_000),
        "≤ 250,000 µs",
    ),
    Goal(
        "CPU per client flush ÷ send loop's CPU per send, 2,000 clients",
        "fanout",
        "cpu_ratio_to_send_loop",
        at_most(1.35),
        "≤ 1.35",
    ),
    Goal(
        "The same in ticker.v1.json",
        "fanout-json",
        "cpu_ratio_to_send_loop",
        at_most(1.35),
        "≤ 1.35",
    ),
    Goal(
        "The same in ticker.v1.msgpack",
        "fanout-msgpack",
        "cpu_ratio_to_send_loop",
        at_most(1.35),
        "≤ 1.35",
    ),
    Goal(
        "Books of 10 levels, 50 symbols to each of 1,000 clients: the same",
        "fanout-depth",
        "cpu_ratio_to_send_loop",
        at_most(1.35),
        "≤ 1.35",
    ),
    Goal(
        "1,000 clients at different max_rates ÷ as many deliveries at one rate, CPU",
        "fanout-rates",
        "cpu_ratio_to_one_rate",
        at_most(1.1),
        "≤ 1.10",
    ),
    Goal(
        "Trade to client at a tenth of capacity, p50",
        "latency-tenth",
        "update_p50_us",
        at_most(300),
        "≤ 300 µs",
    ),
    Goal(
        "Trade to client at a tenth of capacity, p99",
        "latency-tenth",
        "update_p99_us",
        at_most(3000),
        "≤ 3,000 µs",
    ),
    Goal(
        "Trade to client at four fifths of capacity, conflated over 100 ms, p99",
        "latency-four-fifths",
        "update_p99_us",
        at_most(150_000),
        "≤ 150,000 µs",
    ),
    Goal(
        "CPU per client flush ÷ send loop, plain, from 100 to 15,000 clients: spread",
        "scaling-clients",
        "cpu_ratio_spread",
        at_most(0.15),
        "≤ 0.15",
    ),
    Goal(
        "Gateway memory per idle client with 5 subscriptions",
        "connections",
        "kb_per_idle_client",
        at_most(2.0),
        "≤ 2.0 kB",
    ),
    Goal(
        "Shared memory: torn copies in 100M row reads, 100,000 laps, 400 kills",
        "shm",
        "torn",
        at_most(0),
        "0",
    ),
    Goal(
        "Shared memory: readers that waited 1 ms through 400 kills",
        "shm",
        "kills_waited_1ms",
        at_most(0),
        "0",
    ),
    Goal("Doorbell: wake-ups lost in 100,000 rounds", "shm", "doorbell_lost", at_most(0), "0"),
)


def render(reports: dict[str, Report], drawn: dict[str, str] | None = None) -> str:
    """The whole page; `reports` and the files of their plots by the name of their run."""
    lines = [
        "# Results",
        "",
        "Written by `make bench` from the reports of `ticker bench`; nothing here is typed by "
        "hand. A run in which the load generator was the bottleneck is void and says so.",
        "",
        "| figure | goal | measured | |",
        "| --- | --- | --- | --- |",
        *(row(goal, reports[goal.run]) for goal in GOALS if goal.run in reports),
    ]
    for name, found in reports.items():
        lines += section(name, found)
        if drawn and name in drawn:
            lines += ["", f"![{name}](plots/{drawn[name]})"]
    return "\n".join(lines) + "\n"


def row(goal: Goal, found: Report) -> str:
    """One line of the table of goals."""
    measured = found[goal.figure]
    verdict = "met" if goal.holds(measured) else "**missed**"
    verdict = "void" if found["void"] else verdict
    return f"| {goal.what} | {goal.bound} | {measured:,} | {verdict} |"


def section(name: str, found: Report) -> list[str]:
    """One report: command, machine, versions, date, and every figure."""
    machine, versions = found["machine"], found["versions"]
    lines = [
        "",
        f"## {name}",
        "",
        f"`{found['command']}`  ",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"Linux {machine['kernel']}; "
        + ", ".join(f"{key} {value}" for key, value in versions.items())
        + f"; {found['date']}",
    ]
    if found["void"]:
        lines += ["", f"**Void**: {found['void']}."]
    return [*lines, "", "```text", *figures(found), "```"]
