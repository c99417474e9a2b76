"""RESULTS.md is made of reports alone."""

from __future__ import annotations

import sys

import pytest

from bench.__main__ import main
from bench.results import GOALS, render
from bench.runs import RUNS
from ticker.bench.report.report import report


def test_goals_are_met_missed_or_void(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["x", "bench", "fanout", "--json", "/some/where.json", "--clients", "5"]
    )
    reports = {
        "fanout": report("fanout", {}, {"cpu_ratio_to_send_loop": 1.3, "void": None}),
        "connections": report("connections", {}, {"kb_per_idle_client": 2.5, "void": None}),
        "ingest": report("ingest", {}, {"messages_per_second": 6_000_000, "void": "too busy"}),
    }
    page = render(reports)
    assert "| ≤ 1.35 | 1.3 | met |" in page
    assert "| ≤ 2.0 kB | 2.5 | **missed** |" in page
    assert "| 6,000,000 | void |" in page
    assert "**Void**: too busy." in page
    assert "`ticker bench fanout --clients 5`" in page
    assert reports["fanout"]["date"] in page
    assert reports["fanout"]["machine"]["cpu"] in page


def test_every_goal_has_a_run() -> None:
    assert {goal.run for goal in GOALS} <= set(RUNS)


def test_an_unknown_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fanuot"]) == 2
    assert "no run fanuot" in capsys.readouterr().err
