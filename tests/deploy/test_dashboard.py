"""Dashboard and alerts ask for metrics that a server has; the dashboard is as its script says."""

from __future__ import annotations

import json
import mmap
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ticker.gateway.rest.metrics import Metrics
from ticker.gateway.rest.status import Status
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_MIRROR, KIND_RECORDER, KIND_STORE, Mapping, segment_size
from ticker.shm.segment import Geometry, private_feed, private_gateway

NAME = re.compile(r"\b(?:ticker|process)_[a-z0-9_]+")
OF_PROMETHEUS = frozenset({"up"})


@pytest.fixture(scope="module")
def known() -> frozenset[str]:
    """The names of all samples that a server with one feed, one gateway and all others exposes."""
    feed, gateway = private_feed(Geometry(8, 1, 8), 1, 1), private_gateway(1)
    store, recorder, mirror = map(_worker, (KIND_STORE, KIND_RECORDER, KIND_MIRROR))
    for mapping in (feed, gateway, store, recorder, mirror):
        Heartbeat(mapping).take_over(os.getpid(), time.time_ns())
    Heartbeat(feed).heard(time.time_ns())
    status = Status(
        [("f", feed)],
        [("0", gateway)],
        version="1",
        epoch=1,
        store=store,
        recorder=recorder,
        mirror=mirror,
    )
    body, _ = Metrics(status).render()
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return frozenset(re.split(r"[{ ]", line)[0] for line in lines)


def _worker(kind: int) -> Mapping:
    mapping = Mapping(mmap.mmap(-1, segment_size(kind)), True)
    mapping.format(kind, 1, 1)
    return mapping


def panel_queries(root: Path) -> dict[str, str]:
    """The queries of the dashboard, by panel."""
    dashboard = json.loads((root / "deploy" / "grafana" / "ticker.json").read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }


def queries(root: Path) -> dict[str, str]:
    """The dashboard's, and those of the alerts, by name."""
    found = panel_queries(root)
    alerts = (root / "deploy" / "prometheus" / "alerts.yml").read_text()
    for name, expression in re.findall(r"alert: (\w+)\n +expr: (.*)\n", alerts):
        found[name] = expression
    assert len(found) > 40
    return found


def test_every_metric_that_is_asked_for_is_there(root: Path, known: frozenset[str]) -> None:
    asked = {(who, name) for who, text in queries(root).items() for name in NAME.findall(text)}
    assert len(asked) > 30
    assert not {(who, name) for who, name in asked if name not in known}


def test_the_dashboard_is_the_one_of_its_script(root: Path, tmp_path: Path) -> None:
    written = tmp_path / "ticker.json"
    subprocess.run([sys.executable, str(root / ".ci" / "dashboard.py"), str(written)], check=True)
    assert written.read_text() == (root / "deploy" / "grafana" / "ticker.json").read_text()


def test_every_alert_has_its_page(root: Path) -> None:
    alerts = (root / "deploy" / "prometheus" / "alerts.yml").read_text()
    names = re.findall(r"alert: (\w+)", alerts)
    pages = {path.stem for path in (root / "docs" / "runbook").glob("*.md")}
    assert set(names) == pages
    for name in names:
        assert f"runbook: docs/runbook/{name}.md" in alerts
        assert "## What to do" in (root / "docs" / "runbook" / f"{name}.md").read_text()
