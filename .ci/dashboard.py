"""Writes deploy/grafana/ticker.json, the dashboard: rows of panels from the table below.

    .venv/bin/python .ci/dashboard.py deploy/grafana/ticker.json

tests/deploy/test_dashboard.py holds every query to the metrics that a server has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RATE = "[$__rate_interval]"
LATENCIES = {
    "exchange to receive": ("ticker_feed_exchange_to_receive_seconds", "feed"),
    "receive to publish": ("ticker_feed_receive_to_publish_seconds", "feed"),
    "publish to send": ("ticker_gateway_publish_to_send_seconds", "gateway"),
    "exchange to send": ("ticker_gateway_exchange_to_send_seconds", "gateway"),
}
Panel = tuple[str, str, dict[str, str]]
"""Title, unit, and query by legend."""


def quantile(share: float, metric: str, by: str) -> str:
    inner = f"sum by (le, {by}) (rate({metric}_bucket{RATE}))"
    return f"histogram_quantile({share}, {inner})"


def rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{RATE}))"


ROWS: dict[str, list[Panel]] = {
    "State": [
        ("State of each feed", "none", {"{{feed}} {{state}}": "ticker_feed_state == 1"}),
        ("Why a feed is stale", "none", {"{{feed}}: {{reason}}": "ticker_feed_stale == 1"}),
        ("Time since the last message", "s",
         {"{{feed}}": "ticker_feed_last_message_age_seconds"}),
        ("Symbols", "short", {"{{feed}}": "ticker_feed_symbols"}),
    ],
    "Latency by stage": [
        (f"{stage}", "s", {
            f"{name} {{{{{by}}}}}": quantile(share, metric, by)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
        })
        for stage, (metric, by) in LATENCIES.items()
    ],
    "Feeds": [
        ("Messages", "cps", {"{{feed}}": rate("ticker_feed_messages_total", "feed")}),
        ("Trades and quotes", "cps", {
            "{{feed}} trades": rate("ticker_feed_trades_total", "feed"),
            "{{feed}} quotes": rate("ticker_feed_quotes_total", "feed"),
        }),
        ("Gaps: missing, recovered and lost messages", "cps", {
            "{{feed}} missing": rate("ticker_feed_gap_messages_total", "feed"),
            "{{feed}} recovered": rate("ticker_feed_recovered_messages_total", "feed"),
            "{{feed}} lost": rate("ticker_feed_lost_messages_total", "feed"),
        }),
        ("Rejects by rule", "cps",
         {"{{feed}} {{reason}}": rate("ticker_feed_rejected_total", "feed, reason")}),
        ("Packets that the kernel dropped", "cps",
         {"{{feed}}": rate("ticker_feed_socket_drops_total", "feed")}),
        ("Lines", "pps", {
            "{{feed}} A": rate("ticker_feed_packets_line_a_total", "feed"),
            "{{feed}} B": rate("ticker_feed_packets_line_b_total", "feed"),
        }),
    ],
    "Clients": [
        ("Connections", "short", {"gateway {{gateway}}": "ticker_gateway_connections_open"}),
        ("Subscriptions", "short", {"gateway {{gateway}}": "ticker_gateway_subscriptions"}),
        ("Updates", "cps", {"{{gateway}}": rate("ticker_gateway_updates_sent_total", "gateway")}),
        ("Sent", "Bps", {"{{gateway}}": rate("ticker_gateway_bytes_sent_total", "gateway")}),
        ("Conflation: updates left out for newer ones", "cps",
         {"{{gateway}}": rate("ticker_gateway_conflated_total", "gateway")}),
        ("Slow clients: full sockets and closes", "cps", {
            "{{gateway}} blocked": rate("ticker_gateway_send_blocked_total", "gateway"),
            "{{gateway}} closed": rate("ticker_gateway_slow_closed_total", "gateway"),
        }),
        ("Laps", "cps", {"{{gateway}}": rate("ticker_gateway_laps_total", "gateway")}),
        ("Refused handshakes", "cps",
         {"{{gateway}}": rate("ticker_gateway_handshakes_refused_total", "gateway")}),
    ],
    "Processes": [
        ("CPU", "percentunit", {"{{worker}}": rate("process_cpu_seconds_total", "worker")}),
        ("Memory", "bytes", {"{{worker}}": "process_resident_memory_bytes"}),
        ("Open files", "short", {"{{worker}}": "process_open_fds"}),
        ("Replaced workers", "short",
         {"{{worker}}": "changes(process_start_time_seconds[1h])"}),
        ("Store: things that cannot be written", "short", {"store": "ticker_store_failing"}),
        ("Store: size on the disk", "bytes", {"store": "ticker_store_disk_bytes"}),
    ],
}  # fmt: skip


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append({"type": "row", "title": title, "gridPos": _place(0, top, 24, 1)})
        top += 1
        for index, panel in enumerate(row):
            panels.append(_panel(panel, _place(index % 2 * 12, top + index // 2 * 8, 12, 8)))
        top += (len(row) + 1) // 2 * 8
    for number, each in enumerate(panels, 1):
        each["id"] = number
    return {
        "uid": "ticker",
        "title": "ticker",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": panels,
    }


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    title, unit, queries = panel
    return {
        "type": "timeseries",
        "title": title,
        "gridPos": place,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(queries.items())
        ],
    }


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(dashboard(), indent=1) + "\n")
