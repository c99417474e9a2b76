"""`ticker bench store`: each trade that was published is in a bar on the disk, or counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.bench.disk import store
from ticker.bench.report.figures import FIGURES
from ticker.cli import main


@pytest.mark.slow
def test_each_trade_is_in_a_bar_or_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WARM", 0.5)
    path = tmp_path / "report.json"
    command = ["bench", "store", "--trades", "5000", "--quotes", "20000", "--symbols", "50"]
    result = CliRunner().invoke(main, [*command, "--duration", "0.5", "--json", str(path)])
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert report["void"] is None
    assert report["published"] > 2_500
    assert report["missed_uncounted"] == 0
    assert report["in_bars"] + report["records_missed"] == report["published"]
    assert report["quotes_per_second"] > 2 * report["trades_per_second"]
    assert set(FIGURES["store"]) <= report.keys()
