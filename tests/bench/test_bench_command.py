"""`ticker bench`: its help, its refusals before a measurement, its exit codes and its files."""

from __future__ import annotations

import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ticker.bench import latency, rates, scaling
from ticker.bench.report.figures import FIGURES, numbers, resolve, runs
from ticker.cli import main
from ticker.cli.bench import KERNEL, command

Require = Callable[[object, str], None]
SMALL = ("--clients", "20", "--symbols", "30", "--flush-interval", "0.02", "--warm-up", "0.1")


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def two_cores(require: Require) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")


def test_where_its_kernels_are_not_compiled_it_says_what_compiles_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, KERNEL, None)
    result = CliRunner().invoke(main, ["bench", "latency"])
    assert result.exit_code == 9
    assert "`make serve` leaves them out; run `make setup`" in result.output


@pytest.mark.parametrize("name", sorted(command.commands))
def test_every_bench_explains_itself(name: str) -> None:
    said = bench(name, "--help").output
    assert all(option in said for option in ("--json", "--plot", "--fail-if", "p99>50ms"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("latency", "--fail-if", "p98>5ms"), "--fail-if 'p98>5ms': no figure p98"),
        (("latency", "--fail-if", "p99>5kB"), "p99 is no figure in kB"),
        (("fanout", "--plot", "x.svg"), "--plot: fanout has no chart; these have: latency, "),
        (("shm", "--plot", "x.svg"), "--plot: shm has no chart"),
        (("latency", "--sweep-share", "0.1,x"), "--sweep-share 0.1,x: give numbers with commas"),
        (("latency", "--sweep-share", "0.1,2"), "2.0 is not in the range"),
        (("latency", "--sweep-share", "0.1", "--share", "0.2"), "do not go together"),
        (("capacity", "--bound", "250"), "'250' is not a time; give one like 250ms"),
        (("latency", "--channel", "trades"), "the plain dialect has no trades"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(arguments: tuple[str, ...], said: str) -> None:
    done = bench(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_command_has_a_report_a_chart_and_an_exit_code(tmp_path: Path) -> None:
    json_file, chart = tmp_path / "report.json", tmp_path / "charts" / "latency.svg"
    bounds = ("--fail-if", "p99<1ns", "--fail-if", "max>10us")
    files = ("--json", str(json_file), "--plot", str(chart))
    done = bench("latency", *SMALL, "--duration", "0.3", *files, *bounds)
    assert done.exit_code == 1
    found = json.loads(json_file.read_text())
    assert found["bounds"]["p99<1ns"] is None
    assert found["bounds"]["max>10us"].startswith("is ")
    assert f"FAILED: max>10us: update_max_us {found['bounds']['max>10us']}" in done.output
    assert "p99<1ns" not in done.output.partition("FAILED")[2]
    assert ElementTree.parse(chart).getroot().tag.endswith("svg")
    assert str(tmp_path) not in found["command"] + chart.read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_several_loads_in_one_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "CALIBRATION", 0.3)
    json_file, chart = tmp_path / "report.json", tmp_path / "latency.svg"
    done = bench(
        *("latency", "--sweep-share", "0.01,0.02", "--duration", "0.3", "--warm-up", "0.2"),
        *("--clients", "20", "--symbols", "30", "--json", str(json_file), "--plot", str(chart)),
    )
    assert done.exit_code in (0, 1), done.output  # others on this machine may make it void
    found = json.loads(json_file.read_text())
    assert [row["share_of_capacity"] for row in found["sweep"]] == [0.01, 0.02]
    assert 1.5 < found["sweep"][1]["clients"] / found["sweep"][0]["clients"] < 2.5
    assert "share_of_capacity" in done.output
    assert "p99.99" in chart.read_text()


def _unknown(report: dict[str, object]) -> set[str]:
    known = FIGURES[str(report["bench"])]
    named = {name for name, _ in numbers(report)}
    for row in runs(report):
        named |= {name for name, _ in numbers(row)}
    return {name for name in named if resolve(name, known) != name}


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(
    "arguments",
    [
        ("latency", *SMALL, "--duration", "0.2", "--share", "0.01"),
        ("snapshot", *SMALL, "--duration", "0.3", "--probes", "5", "--probe-rate", "30"),
        ("connections", *SMALL),
        ("connections", *SMALL, "--gateways", "2", "--duration", "0.3"),
        ("fanout", *SMALL, "--duration", "0.1"),
        ("fanout", *SMALL, "--rates", "--duration", "0.1"),
        ("scaling", "--over", "clients", "--points", "5,10", "--symbols", "30", "--duration", ".2"),
        ("ingest", "--messages", "20000", "--symbols", "30", "--repeat", "1"),
        ("shm", *("--reads", "20000", "--laps", "50", "--kills", "2", "--rounds", "100")),
    ],
    ids=" ".join,
)
def test_every_figure_that_a_bench_gives_can_be_bound(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sweep in (rates, scaling):
        monkeypatch.setattr(sweep, "SEGMENT_SECONDS", 0.2)
    path = tmp_path / "report.json"
    done = bench(*arguments, "--json", str(path))
    assert path.exists(), done.output
    assert _unknown(json.loads(path.read_text())) == set()
