"""Each scenario once, small, with a real gateway worker: it ends, finds no violation, says all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ticker.bench import connections, crowd, fanout, latency, rates
from ticker.bench.rig.rig import Load
from ticker.shm.segment import leftovers

Require = Callable[[object, str], None]
LOAD = Load(clients=20, symbols=30, per_client=3, flush_interval=0.02)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def two_cores(require: Require) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")


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


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"channel": "depth"}, id="books"),
        pytest.param(
            {"channel": "quote", "compress": True}, id="deflated", marks=pytest.mark.stress
        ),
    ],
)
def test_fanout_of_books_and_of_deflated_quotes(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients hold each delta against the book before it, and inflate what comes deflated."""
    monkeypatch.setattr(fanout, "SEGMENT_SECONDS", 0.2)
    monkeypatch.setattr(fanout, "TIGHT_SECONDS", 0.01)
    found = fanout.run(replace(LOAD, encoding="json", warm_up=0.1, **more), 0.2)
    right(found)
    assert found["updates_per_client_flush"] >= 1
    assert found["gateway_counters"]["deflated_shared"] > 0 or not more.get("compress")


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
    assert found["kernel_kb_per_socket"].keys() == {"idle", "after_traffic"}


@pytest.mark.parametrize(
    ("popularity", "trades_by"),
    [("zipf:1.1", "even"), ("zipf", "popularity"), ("hot", "even"), ("hot:5", "even")],
)
def test_popular_symbols(popularity: str, trades_by: str) -> None:
    load = replace(LOAD, popularity=popularity, trades_by=trades_by, encoding="json")
    found = latency.run(load, 0.2)
    right(found)
    assert found["update_count"] > 0


@pytest.mark.parametrize("channel", ["price", "quote", "trades"])
@pytest.mark.parametrize("encoding", ["json", "msgpack", "protobuf"])
def test_every_encoding_and_channel(encoding: str, channel: str) -> None:
    found = latency.run(replace(LOAD, encoding=encoding, channel=channel), 0.2)
    right(found)
    assert found["update_count"] > 0
    assert found["seen"]["malformed"] == 0


def test_fanout_in_messagepack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SEGMENT_SECONDS", 0.2)
    monkeypatch.setattr(fanout, "TIGHT_SECONDS", 0.01)
    found = fanout.run(replace(LOAD, encoding="msgpack"), 0.2)
    right(found)
    assert found["cpu_ratio_to_send_loop"] > 0


def test_a_share_of_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "CALIBRATION", 0.3)
    found = latency.at(replace(LOAD, flush_interval=0.1, per_client=1, ticks=0.8), 0.3, 0.01)
    right(found)
    wanted = found["capacity_client_flushes_per_second"] * 0.01
    assert 0.5 * wanted < found["clients"] * 8 < 2 * wanted
    assert found["update_count"] > 0


def test_different_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "SEGMENT_SECONDS", 1.0)
    found = rates.run(replace(LOAD, clients=42, encoding="json"), 2.0)
    right(found)
    assert found["cpu_ratio_to_one_rate"] > 0
    one, different = (found[f"{name}_client_flushes_per_second"] for name in ("one", "different"))
    assert 0.8 < different / one < 1.25


def test_a_mix_of_rates_has_one_rate_as_its_mean() -> None:
    mix = rates.rates_of(0.1)
    assert len(set(mix)) == len(rates.MIX)
    assert sum(mix) / len(mix) == pytest.approx(10 / rates.ONE)


def test_a_crowd() -> None:
    found = crowd.run(replace(LOAD, gateways=2, encoding="json"), 0.5)
    right(found)
    assert found["dropped"] == 0
    assert sum(found["connections_per_gateway"]) == 20
    assert found["delivered"] == found["seen"]["updates"] > 0
