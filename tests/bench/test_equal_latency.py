"""Cost at equal latency: the rule that compares, the page of a report, and the peers' timers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.peers import equal_latency, equal_latency_page
from bench.peers.catalogue import PEERS, SERVERS, Peer, Ports
from bench.peers.equal_latency import FAST, OURS, TICKS, point, servers
from bench.peers.equal_latency_page import Relation, front, plot, relation, render, summary
from bench.peers.sides import Segment
from ticker.errors import BenchError

TIMED = [peer for peer in PEERS if peer.timed]
PEER = [(1_000.0, 8.0), (100_000.0, 2.0)]  # p50 in us, CPU in us


def test_a_point_that_another_one_beats_in_both_is_not_on_the_front() -> None:
    assert front([(5.0, 2.0), (1.0, 8.0), (3.0, 9.0), (9.0, 2.0)]) == [(1.0, 8.0), (5.0, 2.0)]


def test_between_two_points_a_cost_falls_by_equal_factors() -> None:
    assert relation(10_000.0, 4.0, PEER) == pytest.approx((1.0, ""))
    assert relation(100_000.0, 1.0, PEER) == pytest.approx((0.5, ""))


def test_a_latency_that_the_peer_never_has_gives_a_bound() -> None:
    assert relation(500.0, 8.0, PEER) == Relation(1.0, "≤")
    assert relation(500_000.0, 1.0, PEER) == Relation(0.5, "≥")
    assert str(relation(500.0, 8.0, PEER)) == "≤ 1.00"
    with pytest.raises(BenchError, match="no peer"):
        relation(1.0, 1.0, [])


def segment(**different: Any) -> Segment:
    values: dict[str, Any] = {
        "published": 120,
        "delivered": 900,
        "expected": 1000,
        "due": 100.0,
        "on_time": 100,
        "counted": 500,
        "cpu_ns": 1_000_000,
        "system": 0.8,
        "foreign": 0.0,
        "latency": {"p50_us": 900.0, "p99_us": 2_000.0},
        "violations": {},
        "lost": 0,
        "drained": True,
        "generator": {"generator": 0.5, "busiest_core": 0.5},
    }
    return Segment(**{**values, **different})


def report(*points: dict[str, Any]) -> dict[str, Any]:
    machine = {"cpu": "c", "cores": 2, "memory_gb": 4, "kernel": "6"}
    return {
        "command": "x", "date": "2026-01-02T03:04", "machine": machine, "ours": {"ticker": "1"},
        "peers": {"uwebsockets": {"socketify": "9"}}, "clients": 2000, "symbols": 200,
        "per_client": 5, "seconds": 2.0, "rounds": 2, "points": list(points),
    }  # fmt: skip


def two_servers() -> dict[str, Any]:
    """Ours at p50 0.9 ms for 2 us, and a peer whose point is the same but for twice the cost."""
    first, *_ = (each for each in servers() if each.name == OURS)
    peer = next(each for each in servers() if each.name == "uwebsockets")
    dear = segment(cpu_ns=2_000_000)
    return report(
        point(first, 0.107, [segment(), segment()]),
        point(peer, 0.107, [dear]),
        point(peer, 1.0, [segment(foreign=0.5)]),
    )


def test_a_point_is_the_median_of_the_rounds_that_were_not_disturbed() -> None:
    server = next(servers())
    rounds = [segment(), segment(cpu_ns=3_000_000), segment(cpu_ns=2_000_000)]
    made = point(server, 0.107, [*rounds, segment(cpu_ns=9_000_000, foreign=0.5)])
    assert (made["cpu_us"], made["delivered"], made["void"]) == (4.0, 0.9, None)
    assert made["void_rounds"] == 1
    assert "50%" in point(server, 0.107, [segment(foreign=0.5)])["void"]
    assert "still sending" in point(server, 0.107, [segment(drained=False)])["void"]


def test_the_page_compares_at_the_same_latency_and_leaves_out_what_is_void() -> None:
    found = two_servers()
    page = render(found)
    assert "| fixed, 100 ms | 0.9 | 0.50 |" in page
    assert "## A tick every 107 ms: 93,458 deliveries due a second" in page
    assert "Left out: uWebSockets, at once: other programs took 50%" in page
    assert "| uWebSockets | at once | 4.00 | 0.9 | 2 | 90% | 0.00 |" in page
    assert summary(found)[2:] == ["| 107 ms | fixed, 100 ms | 0.9 / 2 ms | 2.00 µs | 0.50 |"]


def test_each_rate_has_a_chart_of_both_percentiles() -> None:
    drawn = plot(two_servers(), 107.0)
    assert "p50 from a tick to its receipt" in drawn
    assert "p99 from a tick to its receipt" in drawn
    assert "uWebSockets: 4 µs at 900 µs" in drawn


def test_servers_that_were_not_measured_again_keep_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equal_latency_page, "REPORT", tmp_path / "report.json")
    before = two_servers()
    (tmp_path / "report.json").write_text(json.dumps(before), encoding="utf-8")
    fresh = report(before["points"][0] | {"cpu_us": 1.0})
    merged = equal_latency.merged(fresh, {OURS})["points"]
    assert [(each["server"], each["cpu_us"]) for each in merged] == [
        ("uwebsockets", 4.0), ("uwebsockets", 2.0), (OURS, 1.0),
    ]  # fmt: skip


def test_ours_runs_at_every_pace_and_leaves_nothing_out_at_the_fastest_rate() -> None:
    ours = [each for each in servers() if each.name == OURS]
    for every in TICKS:
        at = [each for each in ours if every in each.ticks]
        assert {each.load.pace for each in at} == {"fixed", "adaptive"}
        assert {each.load.client_pace for each in at} == {"", "immediate", "saver"}
        assert {each.load.channel for each in at} == {"trades" if every == FAST else "price"}
    assert {each.name for each in servers()} == {OURS} | {
        peer.name for peer in TIMED if peer.name != "aiohttp"
    }


@pytest.mark.parametrize("peer", TIMED, ids=lambda peer: peer.name)
def test_a_timer_is_told_to_the_server_itself(peer: Peer) -> None:
    ports = Ports(1, 2)
    *before, last = peer.by_timer(0.03).commands(ports)
    assert [*before, last[1:]] == peer.commands(ports)
    assert last[0] == "PEER_TIMER_MS=30"


@pytest.fixture
def tick_lines(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the servers in Python share, with a timer of 20 ms."""
    monkeypatch.setenv("PEER_TIMER_MS", "20")
    spec = importlib.util.spec_from_file_location("tick_lines", SERVERS / "tick_lines.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tick_lines", module)
    spec.loader.exec_module(module)
    return module


def test_by_a_timer_ticks_are_published_together_and_none_is_left_out(
    tick_lines: ModuleType,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    turns: list[tuple[float, str]] = []

    async def publish(symbol: str, message: str) -> None:
        turns.append((asyncio.get_running_loop().time(), f"{symbol} {message}"))

    async def run() -> None:
        server = await tick_lines.read_ticks(port, publish)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(b"A %d\n" % number for number in range(100)))
        while len(turns) < 100:
            await asyncio.sleep(0.001)
        writer.close()
        await writer.wait_closed()
        while len(asyncio.all_tasks()) > 2:  # this one and the timer: the server's reader has ended
            await asyncio.sleep(0.001)
        server.close()
        tick_lines.timers[0].cancel()
        await asyncio.wait(tick_lines.timers)

    asyncio.run(run())
    assert [told for _, told in turns] == [f"A {number}" for number in range(100)]
    assert turns[-1][0] - turns[0][0] < 0.02, "they came in one turn"
