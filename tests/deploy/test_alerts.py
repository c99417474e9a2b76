"""The alerts: each fires at its fault and not without one, by promtool; two of them by a real
Prometheus on a real server that is hurt."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import Require
from tests.deploy.test_dashboard import panel_queries
from tests.load.server import until
from tests.whole_server import whole_server

SERIES = {
    # alert: what is well, what is the fault; values are a minute apart
    "TickerDown": ('up{job="ticker"}', "1x20", "1x5 0x15"),
    "TickerFeedStale": ('ticker_feed_stale{feed="f",reason="silent"}', "0x20", "0x5 1x15"),
    "TickerGapsUnrecovered": ('ticker_feed_lost_messages_total{feed="f"}', "7x20", "7+9x20"),
    "TickerSocketDrops": ('ticker_feed_socket_drops_total{feed="f"}', "7x20", "7+9x20"),
    "TickerWorkerRestarts": (
        'process_start_time_seconds{worker="gateway 0"}', "5x20", "5x5 10+60x15",
    ),
    "TickerWorkerHung": (
        'ticker_gateway_heartbeat_age_seconds{gateway="0"}', "0.4x20", "0.4x5 6x15",
    ),
    "TickerSlowClients": ('ticker_gateway_slow_closed_total{gateway="0"}', "0+1x20", "0+20x20"),
    "TickerGatewayLapped": ('ticker_gateway_laps_total{gateway="0"}', "3x20", "3+1x20"),
    "TickerClockSkew": (
        'ticker_feed_rejected_total{feed="f",reason="clock_skew"}', "3x20", "3+5x20",
    ),
    "TickerDiskFailing": ('ticker_store_failing{store="store"}', "0x20", "0x5 1x15"),
    "TickerMirrorFailing": ('ticker_mirror_failing{mirror="mirror"}', "0x20", "0x5 1x15"),
    "TickerTableFull": ('ticker_feed_table_full_total{feed="f"}', "0x20", "0+2x20"),
    "TickerDescriptorsExhausted": (
        'ticker_gateway_descriptors_exhausted_total{gateway="0"}', "0x20", "0+2x20",
    ),
}  # fmt: skip
MOMENT = "15m"


@pytest.fixture
def rules(root: Path, require: Require) -> Path:
    require("promtool", "promtool is not installed (Debian: prometheus)")
    return root / "deploy" / "prometheus" / "alerts.yml"


def test_rules_and_configuration_are_right(rules: Path) -> None:
    for what, path in (("rules", rules), ("config", rules.with_name("prometheus.yml"))):
        done = subprocess.run(["promtool", "check", what, str(path)], capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried(rules: Path) -> None:
    assert set(re.findall(r"alert: (\w+)", rules.read_text())) == SERIES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SERIES)
def test_it_fires_at_its_fault_only(name: str, rules: Path, tmp_path: Path) -> None:
    series, well, fault = SERIES[name]
    assert fires(name, series, fault, rules, tmp_path), "at its fault"
    assert not fires(name, series, well, rules, tmp_path), "without one"


def fires(name: str, series: str, values: str, rules: Path, folder: Path) -> bool:
    """Whether promtool sees the alert fire at MOMENT, over these values of a series."""
    asked = {
        "rule_files": [str(rules)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values}],
                "alert_rule_test": [{"eval_time": MOMENT, "alertname": name, "exp_alerts": []}],
            }
        ],
    }
    path = folder / "test.yml"
    path.write_text(json.dumps(asked))  # JSON is YAML
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or f"alertname: {name}" in said, said
    return done.returncode != 0  # no alert was expected


class Prometheus:
    """A real one, which scrapes a server each second."""

    def __init__(self, where: str) -> None:
        self.where = where

    def ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.where}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def firing(self) -> set[str]:
        found = self.ask("alerts") or {"alerts": []}
        return {
            each["labels"]["alertname"] for each in found["alerts"] if each["state"] == "firing"
        }

    def has(self, query: str) -> bool:
        found = self.ask(f"query?query={quote(query)}")
        return bool(found and found["result"])


@contextmanager
def watching(target: str, rules: Path, folder: Path) -> Iterator[Prometheus]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = rules.with_name("prometheus.yml").read_text()
    config = config.replace("5s", "1s").replace("127.0.0.1:8700", target)
    (folder / "prometheus.yml").write_text(config.replace("alerts.yml", str(rules)))
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)


def simulators(where: str) -> list[int]:
    """The pids of the server's simulated exchanges: the children of its supervisor that were
    started anew."""
    with urllib.request.urlopen(f"{where}/status", timeout=5) as answer:
        feed = json.load(answer)["feeds"][0]["pid"]
    text = Path(f"/proc/{feed}/stat").read_text()
    supervisor = text.rpartition(") ")[2].split()[1]
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [
        int(pid) for pid in children if b"simulate" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def gateway(where: str) -> int:
    with urllib.request.urlopen(f"{where}/status", timeout=5) as answer:
        return int(json.load(answer)["gateways"][0]["pid"])


def dashboard_queries(root: Path) -> list[str]:
    """The queries of the dashboard that a healthy server has an answer to."""
    return [
        query.replace("$__rate_interval", "10s")
        for query in panel_queries(root).values()
        if query != "ticker_feed_stale == 1"
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_silent_feed_and_a_dying_gateway_are_told(
    rules: Path, tmp_path: Path, require: Require
) -> None:
    require("prometheus", "prometheus is not installed")
    with (
        whole_server(tmp_path, "alerts", 61) as where,
        watching(where.removeprefix("http://"), rules, tmp_path) as prometheus,
    ):
        until(lambda: prometheus.has("ticker_feed_symbols > 0"), 60)
        asked = dashboard_queries(rules.parent.parent.parent)
        until(lambda: all(map(prometheus.has, asked)), 60)
        (exchange,) = simulators(where)
        os.kill(exchange, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            _kill_gateways(where, prometheus, 3)
            assert time.monotonic() - begun > 30 or "TickerFeedStale" not in prometheus.firing()
            until(lambda: "TickerWorkerRestarts" in prometheus.firing(), 30)
            until(lambda: "TickerFeedStale" in prometheus.firing(), 60)
            assert time.monotonic() - begun > 30, "not for a moment of silence"
        finally:
            os.kill(exchange, signal.SIGCONT)
        until(lambda: "TickerFeedStale" not in prometheus.firing(), 30)


def _kill_gateways(where: str, prometheus: Prometheus, times: int) -> None:
    """One death after the other, each seen by a scrape."""
    for number in range(times):
        pid = gateway(where)
        os.kill(pid, signal.SIGKILL)
        changes = 'changes(process_start_time_seconds{worker="gateway 0"}[10m])'
        until(_answered(where, pid), 15)
        until(lambda: prometheus.has(f"{changes} > {number}"), 15)  # noqa: B023


def _answered(where: str, other_than: int) -> Callable[[], bool]:
    def answered() -> bool:
        try:
            return gateway(where) != other_than
        except (urllib.error.URLError, ConnectionError, IndexError):
            return False

    return answered
