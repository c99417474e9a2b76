"""The alerts: each fires at its fault and not without one, by promtool. test_live_alerts.py hurts a
real server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Require

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


def fires(
    name: str, series: str, values: str, rules: Path, folder: Path, interval: str = "1m"
) -> bool:
    """Whether promtool sees the alert fire at MOMENT, over these values of a series, which are
    `interval` apart."""
    asked = {
        "rule_files": [str(rules)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": interval,
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


@pytest.mark.slow
def test_a_moment_of_silence_wakes_nobody(rules: Path, tmp_path: Path) -> None:
    """20 s of a fault that is told after 30."""
    series, _, _ = SERIES["TickerFeedStale"]
    assert not fires("TickerFeedStale", series, "0x175 1x4", rules, tmp_path, "5s")
    assert fires("TickerFeedStale", series, "0x170 1x9", rules, tmp_path, "5s")
