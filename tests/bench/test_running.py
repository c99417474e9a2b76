"""`--url`: a load on a running server, and the messages when it is impossible."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.whole_server import whole_server
from ticker.bench import running
from ticker.bench.report.figures import FIGURES, numbers, resolve
from ticker.bench.report.latencies import Latencies
from ticker.bench.rig.clients import SwarmResults
from ticker.bench.rig.load import Load
from ticker.bench.rig.target import Target, symbols_in
from ticker.cli.bench import command
from ticker.client.server import Server
from ticker.errors import BenchError, ClientError

TOKEN, OTHER = "let-the-bench-in", "two-at-once"
AUTH = """
[access]
connections_per_address = 40

[auth]
required = true

[[auth.tokens]]
name = "bench"
sha256 = "{}"
max_symbols = 20
metrics = true

[[auth.tokens]]
name = "two"
sha256 = "{}"
connections = 2
"""
LOAD = Load(clients=20, symbols=100, per_client=4, encoding="json", warm_up=0.1)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that asks for a token, and that has prices."""
    hashes = (hashlib.sha256(each.encode()).hexdigest() for each in (TOKEN, OTHER))
    folder = tmp_path_factory.mktemp("running")
    with whole_server(folder, "running", 78, AUTH.format(*hashes)) as address:
        await_prices(Server(address, TOKEN))
        yield address


def await_prices(server: Server) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        listed = [each["symbol"] for each in server.get("/symbols", limit="200")["symbols"]]
        pieces = [listed[at : at + 20] for at in range(0, len(listed), 20)]  # the token's most
        found = [server.get("/prices", symbols=",".join(piece))["prices"] for piece in pieces]
        if sum(map(len, found)) >= 100:
            return
        time.sleep(0.05)
    pytest.fail("nothing trades")


def failing(load: Load, target: Target) -> str:
    with pytest.raises((BenchError, ClientError)) as raised:
        running.run(load, 0.1, target)
    return str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "channel", "popularity"),
    [("plain", "price", "uniform"), ("json", "trades", "zipf:1.1"), ("msgpack", "quote", "hot:5")],
)
def test_a_load_on_a_running_server(url: str, encoding: str, channel: str, popularity: str) -> None:
    load = Load(20, 100, 4, encoding=encoding, channel=channel, popularity=popularity, warm_up=0.1)
    found = running.run(load, 1.0, Target(url.replace("http", "ws"), TOKEN))
    assert found["violations"] == {}
    assert found["clients_lost"] == 0
    assert found["seen"]["updates"] > 0
    assert found["update_count"] == found["seen"]["updates"]
    assert found["deliveries_per_second"] > 0
    assert found["snapshot_count"] == 80
    assert found["server"]["subscribed_from"] == 100
    counted = found["server_counters"]
    assert counted["feed_trades"] > 0
    assert counted["gateway_updates_sent"] >= 0.5 * found["seen"]["updates"]


@pytest.mark.slow
@pytest.mark.parametrize("bench", ["latency", "fanout", "connections"])
def test_the_commands_take_a_url(url: str, bench: str, tmp_path: Path) -> None:
    names = tmp_path / "symbols.txt"
    listed = Server(url, TOKEN).get("/symbols", limit="200")["symbols"]
    names.write_text("# hot first\n" + "".join(f"{each['symbol']} x\n" for each in listed))
    out = tmp_path / "report.json"
    asked = f"--url {url} --token {TOKEN} --clients 10 --symbols 50 --duration 0.5 --warm-up 0.1"
    files = ["--symbols-file", str(names), "--json", str(out)]
    done = CliRunner().invoke(command, [bench, *asked.split(), *files])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    found = json.loads(out.read_text())
    assert found["bench"] == "running"
    assert found["parameters"]["url"] == url
    assert found["seen"]["updates"] > 0
    assert found["violations"] == {}
    assert {
        name for name, _ in numbers(found) if resolve(name, FIGURES["running"]) != name
    } == set()
    assert TOKEN not in out.read_text() + done.output


@pytest.mark.slow
def test_what_a_server_refuses_is_told_in_its_words(url: str, tmp_path: Path) -> None:
    assert "not_authenticated" in failing(LOAD, Target(url))
    assert "the token is not known here" in failing(LOAD, Target(url, "wrong"))
    many = Load(clients=2, symbols=100, per_client=30, encoding="json")
    assert "405 symbol_limit_exceeded: ask for fewer" in failing(many, Target(url, TOKEN))
    assert "406 connection_limit_exceeded" in failing(LOAD, Target(url, OTHER))
    crowd = Load(clients=60, symbols=100, per_client=4, encoding="json")
    assert "429" in failing(crowd, Target(url, TOKEN))
    unknown = tmp_path / "unknown.txt"
    unknown.write_text("NOPE\n")
    assert "does not know NOPE" in failing(LOAD, Target(url, TOKEN, symbols_in(unknown)))
    most = Load(clients=2, symbols=5000, per_client=500)
    assert "take fewer --symbols-per-client" in failing(most, Target(url, TOKEN))


def test_no_server_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = failing(LOAD, Target(f"ws://127.0.0.1:{port}/stream"))
    assert "is `ticker serve` running there?" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("wss://prices.example/stream", "no TLS; give the plain port"),
        ("https://prices.example", "no TLS"),
        ("127.0.0.1:8700", "not the URL of a server"),
        ("ws://127.0.0.1:99999/", "not the URL of a server"),
        ("ws:///stream", "not the URL of a server"),
        ("ws://nowhere.invalid:8700/", "has no IPv4 address"),
    ],
)
def test_an_address_that_is_none(url: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        Target(url)


def test_where_an_address_leads() -> None:
    target = Target("ws://localhost:8700/ws", "secret")
    assert (target.host, target.port, target.path) == ("127.0.0.1", 8700, "/ws")
    assert target.server.url == "http://localhost:8700"
    assert Target("http://127.0.0.1:8700/").path == "/stream"
    assert target.local


def test_symbols_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "symbols.txt"
    path.write_text("# hot\nAAPL\n\nMSFT  rest\n")
    assert symbols_in(path) == ["AAPL", "MSFT"]
    path.write_text("# nothing\n")
    with pytest.raises(BenchError, match="no symbols in it"):
        symbols_in(path)


def seen(latencies_ns: list[int], ahead: int = 0) -> SwarmResults:
    from ticker.bench.swarm.histogram import Histogram

    counted = Histogram()
    for each in latencies_ns:
        counted.record(each)
    counts = {"updates": len(latencies_ns), "ahead": ahead}
    return SwarmResults(counts=counts, latency=Latencies.load(counted.dump()))


def test_clocks_that_do_not_agree_are_told() -> None:
    assert running.clock(seen([]), True) == "no update came, so there is no latency"
    assert "3 of 4 updates have a timestamp later" in running.clock(seen([0, 0, 0, 9], 3), True)
    assert "120 s old at the median" in running.clock(seen([120 * 10**9] * 5), False)
    assert running.clock(seen([10**6] * 5), True).startswith("one clock")
    assert running.clock(seen([10**6] * 5), False).startswith("across machines")


def test_metrics_that_cannot_be_read_are_said() -> None:
    assert running.between("no /metrics", "no /metrics") == {"not reachable": "no /metrics"}
