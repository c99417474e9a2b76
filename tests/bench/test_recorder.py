"""`ticker bench recorder`: each trade that was published is on the disk, or counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.bench.report.figures import FIGURES
from ticker.cli import main


@pytest.mark.slow
def test_each_trade_is_recorded_or_counted(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    command = ["bench", "recorder", "--events", "20000", "--symbols", "50", "--duration", "1"]
    result = CliRunner().invoke(main, [*command, "--json", str(path)])
    assert result.exit_code == 0, result.output
    [report] = [json.loads(path.read_text())]
    assert report["void"] is None
    assert report["published"] > 10_000
    assert report["missed_uncounted"] == 0
    assert report["recorded"] + report["lapped"] + report["dropped"] == report["published"]
    assert set(FIGURES["recorder"]) <= report.keys()
