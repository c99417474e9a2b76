"""The parts of a report besides its figures."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from ticker.bench.report import machine
from ticker.bench.report.report import (
    DURATIONS,
    WIDTH,
    columns,
    figures,
    report,
    table,
    write,
)
from ticker.bench.rig.part import Part
from ticker.errors import BenchError


def test_figures_stand_at_the_top_beside_where_and_when(tmp_path: Path) -> None:
    made = report("fanout", {"clients": 5}, {"cpu_ratio_to_send_loop": 1.2, "void": None})
    write(tmp_path / "new" / "report.json", made)
    read = json.loads((tmp_path / "new" / "report.json").read_text())
    assert read == made
    assert read["cpu_ratio_to_send_loop"] == 1.2
    assert read["machine"].keys() == {"cpu", "cores", "memory_gb", "kernel"}
    assert read["versions"].keys() >= {"ticker", "python", "uvloop", "aiohttp"}
    assert datetime.fromisoformat(read["date"]).utcoffset() is not None
    assert read["command"].startswith("ticker")
    assert read["parameters"] == {"clients": 5}


def test_the_table_has_every_figure_and_says_what_is_void() -> None:
    made = report(
        "fanout",
        {},
        {
            "cpu_ratio_spread": 0.1,
            "violations": {},
            "void": "the generator was slow",
            "sweep": [{"clients": 100, "ratio": 1.2, "seen": {}}, {"clients": 2000, "ratio": 1.31}],
        },
    )
    shown = table(made)
    assert "  cpu_ratio_spread  0.1\n" in shown
    assert "  violations        none\n" in shown
    assert "  clients  100  2,000\n  ratio    1.2   1.31\n" in shown
    assert shown.endswith("VOID: the generator was slow")
    assert "VOID" not in table({**made, "void": None})


def test_waits_stand_below_each_other_in_units_that_suit_them() -> None:
    times = dict(zip(DURATIONS, (900.0, 1000.0, 20_000.0, 250_000.0, 1e6, 1.5e6), strict=True))
    found = {"update_count": 12_345, **{f"update_{name}": each for name, each in times.items()}}
    lines = figures({"latency": times, **found, "update_histogram": "HISTF", "x_us": 0.0123})
    assert lines == [
        "  x  12.3 ns",
        "",
        "              p50   p90    p99   p99.9  p99.99    max      of",
        "  latency  900 µs  1 ms  20 ms  250 ms     1 s  1.5 s",
        "  update   900 µs  1 ms  20 ms  250 ms     1 s  1.5 s  12,345",
    ]


def test_what_is_too_long_for_the_table_is_said_to_be_in_the_json() -> None:
    seen = {f"kind_{number}": 1 for number in range(20)}
    lines = figures({"seen": seen, "generator": {"busiest_core": 0.5}})
    assert lines[0].endswith("busiest_core 0.5")
    assert lines[-1] == "only in the JSON (--json FILE): seen"


def test_many_runs_go_on_below() -> None:
    rows = [{"clients": 1000 * number, "cost_us": 1.5, "name": "run"} for number in range(20)]
    lines = columns(rows)
    assert max(map(len, lines)) <= WIDTH
    assert lines.count("") == 1
    assert sum(line.count("1.5 µs") for line in lines) == 20
    assert sum(line.count("run") for line in lines) == 20


def test_where_a_report_goes_is_not_in_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["bench", "latency", "--plot", "a.svg", "--json=b.json", "--fail-if", "p99>5ms"]
    monkeypatch.setattr(sys, "argv", ["ticker", *arguments])
    assert report("latency", {}, {})["command"] == "ticker bench latency --fail-if 'p99>5ms'"


def test_cpu_and_memory_of_another_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(sum(range(10**6)), flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = machine.cpu_ns(process.pid)
        memory = machine.memory_kb(process.pid)
        process.communicate(b"\n")
    assert 1_000_000 < used < 60_000_000_000
    assert 0 < memory["private"] <= memory["rss"]
    assert 0 < memory["pss"] <= memory["rss"]
    own = machine.cpu_ns(os.getpid())
    assert own <= time.clock_gettime_ns(time.CLOCK_PROCESS_CPUTIME_ID)


def test_the_kernels_memory_grows_with_sockets() -> None:
    before = machine.kernel_kb()
    with ExitStack() as stack:
        for _ in range(3000):
            stack.enter_context(socket.socket())
        grown = machine.kernel_kb() - before
    assert 3000 < grown < 300_000  # a TCP socket has 2 to 3 kB, beside its inode and dentry


def test_a_part_that_dies_says_why() -> None:
    part = Part("the part", [sys.executable, "-c", "raise SystemExit('no room')"])
    with pytest.raises(BenchError, match="the part ended with 1: no room"):
        part.answer(timeout=20)
    part.close()


def test_a_part_that_is_late_is_an_error() -> None:
    part = Part("the part", ["cat"])
    with pytest.raises(BenchError, match=r"no answer within 0\.01 s"):
        part.answer(timeout=0.01)
    assert part.ask("echo", number=1) == {"do": "echo", "number": 1}
    part.close()


def test_an_answer_can_be_an_error() -> None:
    part = Part("the part", ["cat"])
    with pytest.raises(BenchError, match="the part: no such symbol"):
        part.ask("x", error="no such symbol")
    part.close()


def test_a_report_of_runs_alone_has_no_empty_line_before_them() -> None:
    assert figures({"sweep": [{"clients": 5}], "void": None}) == ["  clients  5"]
