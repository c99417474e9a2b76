"""The regression guard: the rule for "worse", repeated measurements, and the committed ratios."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import check, ratios
from bench.check import Checked
from bench.runs import RUNS
from ticker.cli.bench import command

Require = Callable[[object, str], None]
LOWER = {"ratio": 2.0, "better": "lower"}
HIGHER = {"ratio": 2.0, "better": "higher"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A real report of `ticker bench ingest`, small."""
    path = tmp_path_factory.mktemp("ratios") / "ingest-fix.json"
    arguments = "ingest --protocol fix --symbols 20 --messages 20000 --repeat 1 --json"
    done = CliRunner().invoke(command, [*arguments.split(), str(path)])
    assert done.exception is None, done.output
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("share", "failed"), [(1.16, True), (1.14, False), (1.0, False),
                                               (0.5, False)])  # fmt: skip
def test_a_real_report_fails_at_16_percent_and_passes_at_14(
    report: dict[str, Any], share: float, failed: bool
) -> None:
    fresh = ratios.found({"ingest-fix": report})["ingest-fix"]["ratio"]
    assert fresh == report["cpu_ratio_to_book"] > 0
    committed = {"ratio": fresh / share, "better": "lower"}
    found = check.check("ingest-fix", committed, lambda _: fresh)
    assert found.failed is failed
    assert len(found.measured) == (check.TURNS if failed else 1)
    assert ("FAILED" in found.line()) is failed


@pytest.mark.slow
def test_what_is_void_is_not_kept(report: dict[str, Any], tmp_path: Path) -> None:
    kept = tmp_path / "ratios.json"
    ratios.keep({"fanout": LOWER}, kept)
    ratios.keep(ratios.found({"ingest-fix": report}), kept)
    assert set(ratios.load(kept)) == {"fanout", "ingest-fix"}
    assert ratios.found({"ingest-fix": {**report, "void": "a core was full"}}) == {}


@pytest.mark.parametrize(("committed", "ratio", "failed"), [
    (LOWER, 2.32, True), (LOWER, 2.28, False), (LOWER, 1.0, False),
    (HIGHER, 2.0 / 1.16, True), (HIGHER, 2.0 / 1.14, False), (HIGHER, 4.0, False),
])  # fmt: skip
def test_worse_is_higher_or_lower(committed: dict[str, Any], ratio: float, failed: bool) -> None:
    assert ratios.fails(committed, ratio) is failed


def test_a_noisy_turn_is_measured_again_and_the_median_counts() -> None:
    turns = iter([3.0, 2.1, 2.0])
    found = check.check("fanout", LOWER, lambda _: next(turns))
    assert found.measured == [3.0, 2.1, 2.0]
    assert not found.failed
    assert "median of [3.0, 2.1, 2.0]" in found.line()


def test_what_is_always_void_fails() -> None:
    found = check.check("fanout", LOWER, lambda _: None)
    assert found.failed
    assert "not measured" in found.line()


def test_better_is_said() -> None:
    assert "better" in Checked("fanout", LOWER, [1.5]).line().split()[-1]
    assert Checked("fanout", LOWER, [1.99]).line().endswith("held")


def test_peers_are_compared_where_they_left_results(tmp_path: Path) -> None:
    loads = {
        "5": {"ratio": 2.96, "void": None},
        "50": {"ratio": 18.57, "void": "the generator's core was full"},
    }
    (tmp_path / "ws.json").write_text(json.dumps({"loads": loads}))
    (tmp_path / "centrifugo.json").write_text(json.dumps({"skipped": "no Go"}))
    assert ratios.of_peers(tmp_path) == {"peer ws: 5": {"ratio": 2.96, "better": "higher"}}
    assert ratios.of_peers(tmp_path / "none") == {}


def test_every_ratio_has_a_run() -> None:
    assert {each.run for each in ratios.RATIOS} <= set(RUNS)
    assert ratios.load().keys() >= {each.run for each in ratios.RATIOS}


def test_nothing_to_compare_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ratios, "load", dict)
    assert check.main([]) == 2
    assert "`make bench` writes them" in capsys.readouterr().err
