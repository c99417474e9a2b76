"""Each scenario once, small, with a real gateway worker: it ends, finds no violation, says all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.bench import connections, fanout, latency
from ticker.bench.rig import Load
from ticker.cli.bench import command
from ticker.shm.segment import leftovers

Require = Callable[[object, str], None]
LOAD = Load(clients=20, symbols=30, per_client=3, flush_interval=0.02)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def two_cores(require: Require) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")
    require("cc", "no C compiler (cc)")


def right(found: dict[str, object]) -> None:
    """No client was lost, sent anything wrong, or left without the newest price."""
    assert found["violations"] == {}
    assert found["clients_lost"] == 0
    assert found["prices_not_newest_at_end"] == 0
    assert leftovers(f"bench-{os.getpid()}") == []


def test_fanout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SEGMENT_SECONDS", 0.2)
    monkeypatch.setattr(fanout, "TIGHT_SECONDS", 0.01)
    found = fanout.run(LOAD, 0.4)
    right(found)
    assert found["cpu_ratio_to_send_loop"] > 0
    assert found["bytes_per_send"] > 100
    assert 1 <= found["updates_per_client_flush"] <= 3
    assert [len(each) for each in found["segments"].values()] == [2, 2, 2]


def test_latency() -> None:
    found = latency.run(LOAD, 0.2)
    right(found)
    assert found["update_count"] > 0
    assert found["update_p50_us"] <= found["update_p99.99_us"] <= found["update_max_us"]


def test_snapshots() -> None:
    load = Load(**{**vars(LOAD), "probes": 10})
    found = latency.snapshots(load, duration=0.5, rate=50)
    right(found)
    assert found["snapshot_count"] == 25 * 3


def test_connections() -> None:
    found = connections.run(LOAD)
    right(found)
    assert found["seen"]["snapshots"] == 20 * 3
    assert found["kb_per_client_over_all"].keys() == {"rss", "pss", "private"}


def test_a_sweep_through_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SEGMENT_SECONDS", 0.1)
    monkeypatch.setattr(fanout, "TIGHT_SECONDS", 0.01)
    out = tmp_path / "fanout.json"
    done = CliRunner().invoke(
        command,
        [
            "fanout",
            "--sweep",
            "5,10",
            "--symbols",
            "10",
            "--duration",
            "0.1",
            "--flush-interval",
            "0.02",
            "--json",
            str(out),
        ],
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    found = json.loads(out.read_text())
    assert [each["clients"] for each in found["sweep"]] == [5, 10]
    assert found["cpu_ratio_spread"] >= 0
    assert "cpu_ratio_to_send_loop" in done.output
