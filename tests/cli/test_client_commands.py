"""`ticker get`, `symbols`, `watch` and `top` against a whole server with its simulated exchange."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from tests.whole_server import whole_server
from ticker.cli import main
from ticker.cli.lineage import lineage as lineage_module
from ticker.cli.top import _fitting
from ticker.client import vitals
from ticker.client.server import Server
from ticker.client.vitals import _state, percentile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose simulated symbols trade."""
    with whole_server(tmp_path_factory.mktemp("client"), "client", 77) as address:
        yield address


def ticker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ticker", *arguments], capture_output=True, text=True, timeout=30
    )


def some_symbols(url: str) -> list[str]:
    """Symbols that have a price by now."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        names = [line.split()[0] for line in ticker("symbols", "--url", url).stdout.splitlines()]
        done = ticker("get", *names[:3], "--url", url) if names else None
        if done is not None and len(done.stdout.splitlines()) == 3:
            return names[:3]
    pytest.fail("nothing trades")


def test_get_prints_a_line_per_symbol(url: str) -> None:
    names = some_symbols(url)
    done = ticker("get", *names, "--url", url)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    whole = json.loads(ticker("get", names[0], "--json", "--url", url).stdout)
    assert whole["prices"][0]["symbol"] == names[0]
    wrong = ticker("get", names[0], "NOSUCH", "--url", url)
    assert wrong.returncode == 1
    assert "unknown: NOSUCH" in wrong.stderr
    assert wrong.stdout.startswith(names[0])


def test_get_knows_where_a_symbol_is(url: str) -> None:
    name = some_symbols(url)[0]
    assert ticker("get", name, "--venue", "XNAS", "--url", url).returncode == 0
    elsewhere = ticker("get", name, "--venue", "XNYS", "--url", url)
    assert elsewhere.returncode == 1
    assert f"not on XNYS: {name}" in elsewhere.stderr
    assert "unknown" not in elsewhere.stderr
    both = ticker("get", name, "NOSUCH", "--venue", "XNYS", "--url", url)
    assert "unknown: NOSUCH" in both.stderr
    assert f"not on XNYS: {name}" in both.stderr


def test_symbols_are_searched(url: str) -> None:
    name = some_symbols(url)[0]
    done = ticker("symbols", name, "--limit", "1", "--url", url)
    assert done.stdout.split()[0] == name
    assert len(done.stdout.splitlines()) == 1
    nothing = ticker("symbols", "NOSUCH", "--url", url)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "no symbol or name matches 'NOSUCH'" in nothing.stderr


def test_watch_prints_changes_until_it_is_told_to_stop(url: str) -> None:
    names = some_symbols(url)
    command = [sys.executable, "-m", "ticker", "watch", *names, "NOSUCH", "--url", url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        seen = [watching.stdout.readline().split() for _ in range(5)]
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=10)
    assert {line[1] for line in seen} <= set(names)
    assert all(Decimal(line[2]) > 0 for line in seen)
    assert "NOSUCH unknown_symbol" in said
    assert watching.returncode in (0, 1, -signal.SIGINT)
    assert "Traceback" not in said


def test_watch_ends_when_there_is_nothing_to_watch(url: str) -> None:
    done = ticker("watch", "NOSUCH", "NONE", "--url", url)
    assert done.returncode == 1
    assert "unknown: NOSUCH, NONE" in done.stderr


def test_a_reader_that_has_enough_is_no_fault(url: str) -> None:
    """`ticker watch … | head -2`"""
    names = some_symbols(url)
    command = [sys.executable, "-m", "ticker", "watch", *names, "--url", url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert watching.stdout.readline()
        watching.stdout.close()
        assert watching.stderr.read() == ""
        assert watching.wait(10) == 0


def test_watch_draws_a_table_in_a_terminal(url: str) -> None:
    names = some_symbols(url)
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "ticker", "watch", *names, "--url", url]
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environ) as watching:
        os.close(follower)
        shown = ""
        end = time.monotonic() + 15
        while time.monotonic() < end and not all(
            re.search(rf"{re.escape(name)}.*\d\.\d", shown) for name in names
        ):
            if select.select([leader], [], [], 0.5)[0]:
                shown += os.read(leader, 65536).decode(errors="replace")
        watching.send_signal(signal.SIGINT)
        watching.wait(10)
    os.close(leader)
    assert "last sale" in shown
    assert all(name in shown for name in names)


def test_top_shows_feeds_gateways_and_stages(url: str) -> None:
    done = ticker("top", "--once", "--interval", "0.5", "--url", url)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert lines["sim"][1] == "live"
    assert float(lines["sim"][2].replace(",", "")) > 100, "messages a second"
    assert lines["0"][1].isdigit(), "the gateway's pid"
    assert "receive to publish" in done.stdout


def test_top_cuts_no_number(url: str) -> None:
    """Nothing is cut to the 80 columns that a pipe has not; what it shows is what REST says."""
    status = json.loads(urlopen(f"{url}/status").read())
    assert status["symbols"] == 200
    done = subprocess.run(
        [sys.executable, "-m", "ticker", "top", "--once", "--interval", "0.2", "--url", url],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | {"COLUMNS": "40"},
    )
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    assert lines["feed"][-1] == "symbols"
    assert lines["sim"][-1] == "200"
    assert len(lines["sim"]) == len(lines["feed"])
    assert "…" not in done.stdout


@pytest.mark.parametrize(
    ("state", "why", "said"),
    [
        ("live", None, "live"),
        ("stale", "no_rule", "stale: no rule"),
        ("live", "hung", "live: hung"),
        ("starting", "starting", "starting"),
    ],
)
def test_top_says_why_a_feed_is_stale(state: str, why: str | None, said: str) -> None:
    assert _state({"state": state, "why": why}).plain == said


def test_top_knows_the_names_of_the_metrics(url: str) -> None:
    now = asyncio.run(vitals.read(Server(url)))
    source = inspect.getsource(vitals)
    names = set(re.findall(r'"(ticker_\w+_total)"', source))
    names |= {f"{name}_bucket" for name in re.findall(r'"(ticker_\w+_seconds)"', source)}
    assert len(names) > 10
    assert names <= set(now.samples)
    assert math.isnan(now.value("ticker_feed_no_such_thing_total"))


def test_top_says_how_wide_its_window_has_to_be() -> None:
    table = vitals._table("feed", "state", "messages/s")
    table.add_row("sim", "live", "123,456,789")
    console = Console(width=200, file=io.StringIO())
    needed = vitals.columns_needed(console, table)
    for width in (needed, needed + 10):
        console = Console(width=width, file=io.StringIO())
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        assert "123,456,789" in console.file.getvalue()
    assert "columns are needed" in str(_fitting(Console(width=needed - 1), table))


@pytest.mark.parametrize("command", [["get", "AAPL"], ["watch", "AAPL"], ["symbols"], ["top"]])
def test_a_redirect_is_said_and_not_followed(command: list[str]) -> None:
    """The token is for the server that was named, and another one's answer is not its answer."""
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"http://localhost:{port}/elsewhere{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = ticker(*command, "--url", f"http://127.0.0.1:{port}", "--token", "secret")
        server.shutdown()
    assert done.returncode == 1
    assert f"redirects to http://localhost:{port}/elsewhere" in done.stderr
    assert "name that server by --url" in done.stderr
    assert asked
    assert not any(path.startswith("/elsewhere") for path in asked)


def lineage(url: str, symbol: str, connection: int, *more: str) -> Result:
    arguments = ["lineage", symbol, "--connection", str(connection), "--url", url, *more]
    return CliRunner().invoke(main, arguments)


def test_lineage_says_when_a_connection_was_sent_a_price(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage_module, "ASKED", 3)
    names = some_symbols(url)
    path = f"{url}/stream?channel=quote&symbols={','.join(names)}"
    with urlopen(Request(path, headers={"Accept": "text/event-stream"}), timeout=10) as stream:
        events = (json.loads(line[6:]) for line in stream if line.startswith(b"data: "))
        number = next(events)["connection"]
        for name in names:
            first = json.loads(lineage(url, name, number, "--json").stdout)["connection"]
            assert (first["id"], first["state"], first["channel"]) == (number, "open", "quote")
        symbol = next(each["symbol"] for each in events if each["type"] == "update")
        while not (found := json.loads(lineage(url, symbol, number, "--json").stdout))[
            "connection"
        ]["sends"]:
            next(events)  # it was sent before the first question
        sent = found["connection"]
        assert sent["sends"][-1]["flush_timestamp"] >= sent["asked_since_timestamp"]
        assert all(len(price["last"]) <= 1 for price in found["prices"])
        shown = lineage(url, symbol, number).stdout
        assert f"connection:\n  id                   {number}\n" in shown
        assert '  sends                {"seq":' in shown
    gone = lineage(url, symbol, number)
    while gone.exit_code == 0:  # the server has not seen yet that the stream is closed
        gone = lineage(url, symbol, number)
    assert "no such connection is open" in gone.output
    both = lineage(url, symbol, number, "--trace", "5")
    assert (both.exit_code, "--connection asks the server of --url" in both.output) == (2, True)
    of_another = lineage(url, symbol, number | 500 << 44)
    assert "none of 3 requests came to that worker" in of_another.output


def test_without_a_server_they_say_where_they_looked() -> None:
    for arguments in (
        ["get", "AAPL"],
        ["symbols"],
        ["watch", "AAPL"],
        ["top", "--once"],
        ["lineage", "AAPL", "--connection", "17600775979008"],
    ):
        done = ticker(*arguments, "--url", "http://127.0.0.1:9")
        assert done.returncode == 4, arguments
        assert "http://127.0.0.1:9" in done.stderr
        assert "ticker serve" in done.stderr
    done = ticker("get", "AAPL", "--url", "nonsense")
    assert done.returncode == 2
    assert "not the URL of a server" in done.stderr


def test_percentiles_are_upper_bounds() -> None:
    counts = [(0.1, 50.0), (0.2, 99.0), (float("inf"), 100.0)]
    assert percentile(counts, 0.5) == 0.1
    assert percentile(counts, 0.99) == 0.2
    assert percentile(counts, 1.0) == float("inf")
    assert percentile([], 0.5) != percentile([], 0.5)  # nan
