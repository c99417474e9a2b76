"""A fleet's size follows from measured figures alone, the page's blocks from reports alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import performance, sizing
from bench.sizing import Box, Fleet, Measured, plan, slope
from ticker.errors import BenchError

FOUND = Measured(
    feed_messages_per_core=5e6,
    feed_bytes=30,
    tick_us=0.1,
    flush_us=10,
    flush_updates=5,
    update_us=0.5,
    clients_per_worker=15_000,
    delivery_bytes=100,
    user_kb=0.5,
    kernel_kb=3.5,
    worker_mb=50,
)
ABOUT = {
    "machine": {"cpu": "a cpu", "cores": 2, "kernel": "6.0"},
    "date": "2026-01-01T00:00:00+00:00",
    "void": None,
}


def row(**figures: Any) -> dict[str, Any]:
    """A point of a scaling report."""
    return {
        "void": None,
        "cpu_ratio_to_send_loop": 1.25,
        "cpu_us_per_delivery": 2.0,
        "cpu_us_per_client_flush": 10.0,
        "send_loop_us_per_send": 8.0,
        "updates_per_client_flush": 5.0,
        "deliveries_per_second": 1000,
        **figures,
    }


def sweep(name: str, *points: dict[str, Any]) -> dict[str, Any]:
    """A scaling report."""
    return {
        **ABOUT,
        "command": f"ticker bench scaling --over {name}",
        "over": name,
        "what": name,
        "points": list(points),
        "cpu_ratio_spread": 0.1,
    }


REPORTS: dict[str, dict[str, Any]] = {
    "ingest-udp": {
        **ABOUT,
        "command": "ticker bench ingest --udp",
        "feed_messages_per_cpu_second": 5_000_000,
        "feed_counters": {"bytes": 6000},
        "messages_received": 100,
    },
    "fanout-json": {
        **ABOUT,
        "command": "ticker bench fanout --encoding json",
        "bytes_per_client_flush": 500,
        "updates_per_client_flush": 5,
    },
    "scaling-clients": sweep("clients", row(clients=100), row(clients=15_000)),
    "scaling-per-client": sweep(
        "per_client",
        row(updates_per_client_flush=1, cpu_us_per_client_flush=30),
        row(updates_per_client_flush=5, cpu_us_per_client_flush=10),
        row(updates_per_client_flush=9, cpu_us_per_client_flush=12),
    ),
    # 2 ms of CPU in each second, then 102 ms
    "scaling-ticks": sweep(
        "ticks",
        row(ticks_per_second=0, cpu_us_per_delivery=2.0),
        row(ticks_per_second=1_000_000, cpu_us_per_delivery=102.0),
    ),
    "connections": {
        **ABOUT,
        "command": "ticker bench connections",
        "kb_per_client_after_traffic": {"rss": 0.5},
        "kernel_kb_per_socket": {"idle": 3.0, "after_traffic": 3.5},
        "gateway_kb_without_clients": {"rss": 51_200},
    },
}


def test_what_is_measured_is_read_from_the_reports() -> None:
    assert sizing.measured(REPORTS) == FOUND


def test_a_missing_report_is_named() -> None:
    few = {name: found for name, found in REPORTS.items() if name != "connections"}
    with pytest.raises(BenchError, match="sizing needs connections"):
        sizing.measured(few)


def test_void_points_do_not_count() -> None:
    clients = sweep("clients", row(clients=100), row(clients=5000), row(clients=15_000, void="x"))
    clients["points"][2]["void"] = "a core was full"
    assert sizing.measured({**REPORTS, "scaling-clients": clients}).clients_per_worker == 5000


def test_a_slope_is_that_of_the_least_squares() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 0), (1, 2), (2, 1)]) == pytest.approx(0.5)
    with pytest.raises(BenchError, match="too few"):
        slope([(1, 1)])


def test_a_plan_by_hand() -> None:
    """20 deliveries per client and second, 10 sends of 2: each 10 - 3 * 0.5 = 8.5 µs. A worker has
    0.6 - 0.1 of its core for them, so 0.5e6 / 85 clients."""
    found = plan(Fleet(1e6, 5_000_000, 1e8), Box(), FOUND, 0.1)
    assert (found.flushes, found.updates) == (10, 2)
    assert (found.clients_per_worker, found.bound) == (5882, "CPU")
    assert found.workers == 851
    assert found.feed_cores == 1
    assert found.gbit == pytest.approx(5e6 * 10 * (200 + 90) * 8 / 1e9)
    assert found.memory_gb == pytest.approx(5e6 * 4 / 1e6 + 851 * 0.05)
    assert found.boxes_by["cores"] == pytest.approx(851 / 23)
    assert found.boxes == 37


def test_a_longer_interval_takes_fewer_boxes_until_connections_bound_it() -> None:
    plans = [plan(Fleet(), Box(), FOUND, each) for each in (0.1, 0.25, 1.0)]
    assert plans[0].boxes > plans[1].boxes > plans[2].boxes
    assert plans[2].bound == "connections"
    assert plans[2].workers == 334
    assert plan(Fleet(), Box(), FOUND, 60).flushes == pytest.approx(1 / 60)


def test_a_feed_that_leaves_no_time_is_an_error() -> None:
    with pytest.raises(BenchError, match="no time for clients"):
        plan(Fleet(ticks=1e7), Box(), FOUND, 0.1)


def test_more_packets_have_more_headers() -> None:
    one = plan(Fleet(), Box(), replace(FOUND, delivery_bytes=70), 1.0)
    two = plan(Fleet(), Box(), replace(FOUND, delivery_bytes=75), 1.0)
    assert two.gbit - one.gbit == pytest.approx(5e6 * (20 * 5 + 90) * 8 / 1e9)


def test_blocks_are_filled_from_reports_and_others_stay() -> None:
    text = (
        "a\n<!-- made: clients -->\nold\n<!-- end -->\nb\n<!-- made: hot -->\nkept\n<!-- end -->\n"
        "<!-- made: fleet -->\n<!-- end -->\n"
    )
    made = performance.filled(text, REPORTS)
    assert "| 15,000 | 1,000 | 10.00 | 8.00 | 1.25 | 2.000 |" in made
    assert "old" not in made
    assert "kept" in made
    assert "| **boxes** | **37** |" in made
    assert performance.filled(made, REPORTS) == made


def test_a_brokers_cpu_is_told_where_it_was_measured(tmp_path: Path) -> None:
    assert performance.broker(1e6, 1e5, 38, tmp_path) == []
    loads = {"5": {"theirs": {"cpu_us_per_delivery": 3.0}},
             "50": {"theirs": {"cpu_us_per_delivery": 1.5}}}  # fmt: skip
    (tmp_path / "nats.json").write_text(json.dumps({"loads": loads}))
    said = performance.broker(38e6, 3.8e6, 38, tmp_path)[-1]
    assert "1.50 µs" in said
    assert "57.0 of its cores for every tick, and 5.7 for the newest" in said


def test_a_block_that_nobody_makes_is_an_error() -> None:
    with pytest.raises(BenchError, match="no block fleat"):
        performance.filled("<!-- made: fleat -->\n<!-- end -->\n", REPORTS)


def test_every_block_stands_on_the_page_with_figures() -> None:
    text = performance.PAGE.read_text(encoding="utf-8")
    blocks = {match[2]: match[0] for match in performance.BLOCK.finditer(text)}
    assert blocks.keys() == performance.BLOCKS.keys()
    for name, block in blocks.items():
        inside = block.partition("\n")[2]
        assert re.search(r"\d|Not measured yet", inside), f"{name} is empty: `make bench`"
    for plot in re.findall(r"\((\.\./bench/plots/[\w-]+\.svg)\)", text):
        assert (performance.PAGE.parent / plot).exists(), plot
