"""The peers' adapters. The smoke test of each runs with `make stress`, where `make bench-peers` has
installed it (build/peers): other people's servers are no part of what `make test` runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bench.peers.catalogue import PEERS, SERVERS, Peer
from bench.peers.measure import LOADS, WARM_UP, per_cpu_second, reason
from bench.peers.page import head, render
from bench.peers.publisher import Ticks
from bench.peers.search import failed
from bench.peers.sides import Schedule, Segment, our_side, their_side
from bench.peers.sinks import Centrifugo, Tick
from ticker.bench.rig.rig import Cores, Load
from ticker.bench.swarm.publisher import price_at
from ticker.errors import BenchError
from ticker.gateway.hub.encode import encoded

SMALL = Load(clients=20, symbols=10, per_client=5)
NAPPING = replace(SMALL, nap_us=250)


@pytest.fixture(scope="module")
def cores(require: Any) -> Cores:
    try:
        return Cores.choose()
    except BenchError as error:
        require(False, str(error))
        raise


AT_ONCE = [pytest.param(each, id=each.name) for each in PEERS]
BY_TIMER = [
    pytest.param(each.by_timer(0.03), id=f"{each.name}-timer") for each in PEERS if each.timed
]


@pytest.mark.stress
@pytest.mark.parametrize("peer", [*AT_ONCE, *BY_TIMER])
def test_a_peer_delivers_every_tick_to_every_subscriber(peer: Peer, cores: Cores) -> None:
    if why := peer.missing():
        pytest.skip(f"{peer.title}: {why}")
    with ExitStack() as stack:
        side = their_side(stack, peer, NAPPING, cores)
        side.admit()
        turn = side.segment(WARM_UP)
    assert turn.published > 0
    assert turn.whole, turn
    assert turn.cpu_ns > 0
    assert 0 < turn.counted < turn.delivered


@pytest.mark.slow
def test_ours_delivers_every_tick_below_the_conflation_rate(cores: Cores) -> None:
    with ExitStack() as stack:
        side = our_side(stack, NAPPING, cores)
        side.admit()
        turn = side.segment(Schedule(0.5, 0.7, 0.2, 0.5))
    assert turn.published > turn.on_time > 0
    assert turn.whole, turn
    assert 0 < turn.counted < turn.delivered


@pytest.mark.slow
def test_the_trades_channel_leaves_out_none_at_any_rate(cores: Cores) -> None:
    with ExitStack() as stack:
        side = our_side(stack, replace(NAPPING, channel="trades", encoding="json"), cores)
        side.admit()
        turn = side.segment(Schedule(0.01, 0.3, 0.1, 0.01))
    assert turn.published > 20 * SMALL.symbols
    assert turn.whole, turn


def test_ticks_have_the_bytes_of_our_own_updates() -> None:
    sent: list[Tick] = []
    ticks = Ticks(["AAAA", "AAAB"], sent.extend)
    for _ in range(500):
        ticks.publish(1)
    assert len(sent) == ticks.published == 502
    newest = dict(sent)
    for symbol, time in zip(("AAAA", "AAAB"), ticks.times, strict=True):
        frame = encoded(0, 0, False, symbol, price=price_at(time), time=time)
        assert newest[symbol.encode()] == frame[2:]


@pytest.fixture
def http_api() -> Iterator[tuple[int, list[Any]]]:
    """A port that takes POST as Centrifugo's HTTP API does, and what it was sent."""
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, body))
            failed = any(each["publish"]["channel"] == "BAD" for each in body["commands"])
            reply = {"error": {"code": 102}} if failed else {"publish": {}}
            answer = json.dumps({"replies": [reply for _ in body["commands"]]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, heard
        server.shutdown()
        thread.join()


def test_publications_for_centrifugo_go_out_in_a_batch(http_api: tuple[int, list[Any]]) -> None:
    port, heard = http_api
    sink = Centrifugo(port)
    sink.send([(b"A", b'{"price":1}'), (b"B", b'{"price":2}')])
    [(path, body)] = heard
    assert path == "/api/batch"
    assert body["commands"][1] == {"publish": {"channel": "B", "data": {"price": 2}}}
    with pytest.raises(BenchError, match="102"):
        sink.send([(b"BAD", b"{}")])
    sink.close()


def turn(**different: Any) -> Segment:
    values: dict[str, Any] = {
        "published": 120,
        "delivered": 1000,
        "expected": 1000,
        "due": 100.0,
        "on_time": 100,
        "counted": 900,
        "cpu_ns": 10**7,
        "system": 0.8,
        "foreign": 0.0,
        "latency": {"p50_us": 1.0, "p99_us": 2.0},
        "violations": {},
        "lost": 0,
        "drained": True,
        "generator": {"generator": 0.5, "busiest_core": 0.5},
    }
    return Segment(**{**values, **different})


def test_a_comparison_is_void_unless_all_was_delivered_in_time() -> None:
    assert reason([turn(), turn()]) is None
    assert "999 updates" in str(reason([turn(), turn(delivered=999)]))
    assert "1001 updates" in str(reason([turn(delivered=1001)]))
    assert "backwards" in str(reason([turn(violations={"backwards": 1})]))
    assert "2 clients lost" in str(reason([turn(lost=2)]))
    assert "where 200 were due" in str(reason([turn(due=200.0)]))
    assert "other programs took 40%" in str(reason([turn(foreign=0.4)]))
    assert "99% busy" in str(reason([turn(generator={"generator": 0.99})]))


def test_deliveries_per_cpu_second_are_those_of_the_time_that_was_measured() -> None:
    assert per_cpu_second(turn(counted=900, cpu_ns=10**7)) == 90_000


def test_a_step_of_a_search_fails_by_what_was_late_or_left_out() -> None:
    assert failed(turn()) is None
    assert failed(turn(delivered=980)) is None
    assert failed(turn(delivered=960)) == "updates not delivered"
    assert failed(turn(latency={"p99_us": 260_000.0})) == "p99"
    assert failed(turn(on_time=90)) == "publications not taken in time"
    assert failed(turn(on_time=90, generator={"generator": 0.97})) == "the generator's core"


def test_the_page_says_who_met_a_goal_and_who_was_left_out() -> None:
    machine = {"cpu": "c", "cores": 2, "memory_gb": 4, "kernel": "6"}
    made = {"command": "x", "date": "d", "machine": machine, "ours": {"ticker": "1"}}
    side = {
        "deliveries_per_cpu_second": 100,
        "cpu_us_per_delivery": 3.0,
        "system": 0.8,
        "generator": 0.42,
        "foreign": 0.03,
        "p50_us": 1.0,
        "p99_us": 2.0,
        "kb_per_client": 1.0,
        "first_answer_p50_us": 1.0,
        "first_answer_p99_us": 2.0,
    }
    rounds = {"ratios": [1.4, 1.5], "void_rounds": ["late"], "void": None}
    loads = {name: {"ours": side, "theirs": side, "ratio": 1.4, **rounds} for name in LOADS}
    page = render(
        {
            "uwebsockets": {**made, "loads": loads},
            "centrifugo": {**made, "skipped": "no module to be had"},
        }
    )
    rows = [line for line in page.splitlines() if line.startswith("| uWebSockets (socketify) |")]
    assert "| ≥ 1.3 | met (1 of 3 rounds void) |" in rows[0]
    assert [setting.goal for setting in LOADS.values()] == [0, 0, 1, 1]
    assert "| ≥ 3.5 | **missed** (1 of 3" in rows[2]
    assert "skipped: no module to be had" in page
    assert page.count("took up to 42% of their core, other programs up to 3%") == len(LOADS)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_adapter_says_how_it_is_tuned(peer: Peer) -> None:
    assert "Settings" in head(SERVERS / peer.file) or "naive_aiohttp.py" in peer.file
