"""Sweeps: each axis with real workers and loops, small; void points do not count."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.bench import fanout, scaling
from ticker.bench.rig.rig import Load
from ticker.cli.bench import command
from ticker.cli.bench.scaling import OVER
from ticker.shm.segment import leftovers

Require = Callable[[object, str], None]
SMALL = Load(clients=10, symbols=20, per_client=2, flush_interval=0.02)


@pytest.fixture
def two_cores(require: Require) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")


def row(value: int, ratio: float, void: str | None = None) -> scaling.Row:
    """A point of the clients' axis with only what counts for the spread."""
    return {"clients": value, scaling.RATIO: ratio, "cpu_us_per_delivery": ratio, "void": void}


def test_the_spread_is_that_of_the_points_that_are_not_void() -> None:
    rows = [row(100, 1.1), row(2000, 1.32), row(15_000, 5.0, "a core was full")]
    found = scaling.results(scaling.AXES["clients"], rows)
    assert found["cpu_ratio_spread"] == 0.2
    assert found["void"] == "clients 15000: a core was full"
    assert scaling.results(scaling.AXES["clients"], rows[:2])["void"] is None


def test_every_axis_has_a_command() -> None:
    assert set(OVER) == set(scaling.AXES)


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(
    ("over", "points"),
    [
        pytest.param("clients", (5, 10), marks=pytest.mark.stress),  # a command's test has it, too
        pytest.param("ticks", (1, 4), marks=pytest.mark.stress),
        ("workers", (1, 2)),
        ("hot", (1, 10)),
    ],
)
def test_points_of_an_axis(
    over: str, points: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "SEGMENT_SECONDS", 0.2)
    axis = scaling.AXES[over]
    monkeypatch.setitem(scaling.AXES, over, replace(axis, load=SMALL))
    found = scaling.run(over, points, 0.2)
    assert [each[axis.name] for each in found["points"]] == list(points)
    for each in found["points"]:
        assert each["cpu_us_per_delivery"] > 0
        assert each[scaling.RATIO] > 0
        assert each["deliveries_per_second"] > 0
        assert each["run"]["violations"] == {}
        assert each["run"]["prices_not_newest_at_end"] == 0
        assert each["run"]["clients_lost"] == 0
    assert leftovers(f"bench-{os.getpid()}") == []


@pytest.mark.stress  # tests/bench/test_bench_command.py has one over clients
@pytest.mark.usefixtures("two_cores")
def test_a_sweep_through_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SEGMENT_SECONDS", 0.1)
    out = tmp_path / "scaling.json"
    arguments = "scaling --over symbols --points 10,20 --clients 5 --duration 0.1"
    done = CliRunner().invoke(
        command, [*arguments.split(), "--flush-interval", "0.02", "--json", str(out)]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    found = json.loads(out.read_text())
    assert [each["symbols"] for each in found["points"]] == [10, 20]
    assert {each["clients"] for each in found["points"]} == {5}
    assert found["over"] == "symbols"
    assert found["cpu_ratio_spread"] >= 0
    assert "cpu_ratio_to_send_loop" in done.output


def test_the_ratio_is_that_of_turns_that_follow_each_other() -> None:
    assert fanout.ratio([10.0, 20.0, 11.0], [8.0, 16.0, 11.0]) == 1.25  # of the medians: 1.0
