"""Ingest and delivery together: real processes, real sockets; failures are named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.performance import together
from ticker.bench import box, highest
from ticker.bench.box import BoxLoad
from ticker.bench.rig.rig import Load
from ticker.cli import main
from ticker.shm.segment import leftovers

Require = Callable[[object, str], None]
TINY = BoxLoad(Load(50, 200, 5, encoding="json"), rate=20_000)
PATIENCE_MS = 60_000.0
"""A machine that tests share with others is no place to measure latency."""


@pytest.fixture(autouse=True)
def two_cores(require: Require) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")


def defects(found: dict[str, Any]) -> list[str]:
    """What was missed but for the simulator's pace, which is the machine's."""
    return [each for each in found["missed"] if not each.startswith("the simulator")]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["plain", "json"])
def test_nothing_is_lost_and_everybody_has_the_newest_price(encoding: str, tmp_path: Path) -> None:
    report = tmp_path / "box.json"
    options = ("--clients", "50", "--symbols", "200", "--rate", "20k", "--duration", "2")
    limits = ("--p99", str(PATIENCE_MS), "--json", str(report), "--encoding", encoding)
    CliRunner().invoke(main, ["bench", "box", *options, *limits])
    found = json.loads(report.read_text())
    assert defects(found) == []
    assert found["messages_lost"] == 0
    assert found["messages_sent"] > 40_000
    assert found["prices_not_newest_at_end"] == 0
    assert found["seen"]["lagged"] == found["clients_lost"] == 0
    assert found["update_count"] == found["seen"]["updates"] > 500
    assert set(found["cpu"]) == {
        "feed", "gateways", "supervisor", "simulator", "clients", "others"
    }  # fmt: skip
    assert leftovers(f"bench-{os.getpid()}") == []
    page = "\n".join(together({"box": found}))
    assert f"| messages sent | {found['messages_sent']:,} |" in page
    assert "**missed**" in page or "everything held" in page


@pytest.mark.slow
def test_what_both_lines_lose_is_missed() -> None:
    lossy = BoxLoad(TINY.load, TINY.rate, seed=3, loss=0.3)
    found = box.run(lossy, 0.5, PATIENCE_MS)
    assert found["messages_lost"] > 0
    assert found["feed_not_clean"]["lost_messages"] == found["messages_lost"]
    assert any("messages lost" in each for each in found["missed"])
    assert found["prices_not_newest_at_end"] == 0  # of what the feed knows


HELD: dict[str, Any] = {
    "messages_lost": 0,
    "messages_per_second": 20_000,
    "rejected": 0,
    "rejected_by_rule": {},
    "feed_not_clean": {},
    "gateway_not_clean": {},
    "clients_lost": 0,
    "violations": {},
    "prices_not_newest_at_end": 0,
    "update_p99_us": 249_999.0,
    "seen": {"updates": 7, "lagged": 0, "ahead": 0},
    "simulator": {"postponed": 0},
}


def test_all_held() -> None:
    assert box.missed(TINY, HELD, 250.0) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages_lost": 1},
        {"messages_per_second": 19_000},
        {"rejected": 1, "rejected_by_rule": {"older": 1}},
        {"feed_not_clean": {"gaps": 1}},
        {"gateway_not_clean": {"laps": 1}},
        {"clients_lost": 1},
        {"violations": {"backwards": 1}},
        {"prices_not_newest_at_end": 1},
        {"update_p99_us": 250_000.0},
        {"seen": {"updates": 0, "lagged": 0, "ahead": 0}},
        {"seen": {"updates": 7, "lagged": 1, "ahead": 0}},
        {"seen": {"updates": 7, "lagged": 0, "ahead": 1}},
        {"simulator": {"postponed": 1}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_each_miss_is_named(wrong: dict[str, Any]) -> None:
    assert len(box.missed(TINY, {**HELD, **wrong}, 250.0)) == 1


def test_others_on_the_box_make_a_run_void() -> None:
    assert box.void(0.01) is None
    assert "0.80 cores" in str(box.void(0.8))


@pytest.mark.parametrize("most", [900.0, 3_000.0, 40_000.0, 1_000_000.0, 4_200_000.0])
def test_the_search_ends_close_below_what_holds(most: float) -> None:
    def attempt(rate: float, seconds: float) -> dict[str, Any]:  # noqa: ARG001
        figures = dict.fromkeys((*highest.STATED, "messages_lost", "cores_used"), 0)
        return {**figures, "cpu": {}, "missed": ["it"] if rate > most else [], "void": None}

    steps: list[dict[str, Any]] = []
    found = highest.bisect(1_000_000.0, 1.0, attempt, steps)
    assert found <= max(most, highest.LEAST)
    assert found >= most * (1 - highest.RESOLUTION)
    assert [each["holds"] for each in steps] == [each["rate"] <= most for each in steps]
    assert len(steps) < 20


def test_a_search_says_what_was_full() -> None:
    def step(rate: int, holds: bool, simulator: float) -> dict[str, Any]:
        cpu = {"simulator_cpu": simulator, "feed_cpu": 0.4, "cores_used": 1.5, "missed": ["it"]}
        return {"rate": rate, "holds": holds, **cpu}

    assert highest.limit([step(1, True, 0.2)]) is None
    full = [step(9, False, 0.2), step(1, True, 0.5), step(3, False, 0.91)]
    assert "simulator: 0.91 of a core" in str(highest.limit(full))
    assert "no process alone, 1.50 cores" in str(highest.limit([step(9, False, 0.2)]))


@pytest.mark.stress
def test_a_million_ticks_a_second_and_a_thousand_clients() -> None:
    found = box.run(BoxLoad(Load(1000, 5000, 5, encoding="json")), 60.0)
    assert found["missed"] == []
