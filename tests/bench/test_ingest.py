"""`ticker bench ingest` of a file: every format, small; the walk and the replay see the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.bench import ingest
from ticker.cli import main


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ingest.FORMATS)
def test_a_format(
    protocol: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingest, "DAYS", tmp_path)
    report = tmp_path / "report.json"
    options = ("--symbols", "20", "--messages", "20000", "--repeat", "1", "--json", str(report))
    result = CliRunner().invoke(main, ["bench", "ingest", "--protocol", protocol, *options])
    assert result.exit_code == 0, result.output
    found = json.loads(report.read_text())
    assert found["void"] is None
    assert found["messages"] > 10_000
    assert found["symbols_seen"] >= 20
    assert found["messages_per_cpu_second"] > 0
    assert 0 < found["walk_ns_per_message"] < found["ns_per_message"]
    by_figures = found["ns_per_message"] / found["book_ns_per_message"]
    assert found["cpu_ratio_to_book"] == pytest.approx(by_figures, rel=0.05)


def test_an_unknown_format_is_refused() -> None:
    result = CliRunner().invoke(main, ["bench", "ingest", "--protocol", "ascii"])
    assert result.exit_code == 2
    assert "one of itch50, pitch" in result.output
