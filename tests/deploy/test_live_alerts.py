"""A real Prometheus with the shipped rules watches a real server that is hurt in six ways:
each alert fires within its time, none without its fault, and each clears when the fault is over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.deploy.hurt_server import SECOND, Exchange, HurtServer, hurt_server, stopped
from tests.deploy.prometheus import (
    Prometheus,
    dashboard_queries,
    seconds_until_it_fires,
    watching,
)
from tests.load.server import until

FASTER = 60
"""What lasts a minute in the rules lasts a second."""
LATE = 20.0
"""s: until a fault is counted, on a machine with other work to do."""
DYING, SLOW = "TickerWorkerRestarts", "TickerSlowClients"
ALERTS = {
    # alert: labels of what was hurt
    "TickerFeedStale": {"feed": "sim"},
    "TickerGapsUnrecovered": {"feed": "f"},
    "TickerClockSkew": {"feed": "f"},
    "TickerDiskFailing": {},
    DYING: {"worker": "gateway 0"},
    SLOW: {},
}
LONGEST = 600.0
"""s of the rules: until they forget a worker that was replaced."""
START = 'process_start_time_seconds{worker="gateway 0"}'
READERS = 60
"""Clients that do not read: each gateway has more than the ten that the rule allows."""


@pytest.fixture
def rules(root: Path, require: Require) -> Path:
    require("prometheus", "prometheus is not installed")
    return root / "deploy" / "prometheus" / "alerts.yml"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_each_fault_is_told_and_its_end(rules: Path, root: Path, tmp_path: Path) -> None:
    hurt(rules, root, tmp_path, FASTER)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_each_fault_is_told_and_its_end_by_the_shipped_times(
    rules: Path, root: Path, tmp_path: Path
) -> None:
    hurt(rules, root, tmp_path, 1)


def hurt(rules: Path, root: Path, folder: Path, faster: int) -> None:
    """All six faults; every length of time in the rules is divided by `faster`."""
    panels = dashboard_queries(root, f"{max(1000, 60_000 // faster)}ms")
    with (
        hurt_server(folder) as (server, exchange),
        watching(server.where.removeprefix("http://"), rules, folder, faster) as prometheus,
    ):
        well = [query for query in panels.values() if query != "ticker_feed_stale == 1"]
        until(lambda: all(map(prometheus.has, well)), 60)
        assert not firing(prometheus), "nothing is wrong yet"
        with server.clients_that_do_not_read(READERS):  # while there are prices to read
            fired = seen({SLOW}, server, prometheus, LONGEST / faster + 3 * LATE)
        with faults(server, exchange):
            fired |= seen(ALERTS.keys() - {SLOW}, server, prometheus, LONGEST / faster + 3 * LATE)
            assert all(map(prometheus.has, panels.values()))
        for name, after in fired.items():
            due = seconds_until_it_fires(rules, name) / faster
            assert due <= after <= due + LATE, f"{name}: {after:.1f} s, not {due:g} s"
        until(lambda: not firing(prometheus), LONGEST / faster + LATE)


def firing(prometheus: Prometheus) -> set[str]:
    """Those of the faults that are told."""
    return {
        each["alertname"]
        for each in prometheus.firing()
        if ALERTS.get(each["alertname"], {"feed": ""}).items() <= each.items()
    }


@contextmanager
def faults(server: HurtServer, exchange: Exchange) -> Iterator[None]:
    """Those that last; undone at the end."""
    with ExitStack() as stack:
        stack.enter_context(stopped(server.exchange()))
        server.fill_disk()
        stack.callback(server.make_room)
        exchange.hole, exchange.skew = 3, 3600 * SECOND
        try:
            yield
        finally:
            exchange.hole = exchange.skew = 0


def seen(
    wanted: Set[str], server: HurtServer, prometheus: Prometheus, seconds: float
) -> dict[str, float]:
    """When each alert was first seen to fire, s from now on. Where the death of gateways is to be
    told, one dies again and again, each time once its start was seen."""
    found: dict[str, float] = {}
    killed, start, begun = 0, 0.0, time.monotonic()
    while found.keys() != wanted:
        now = time.monotonic()
        assert now - begun < seconds, f"not told: {wanted - found.keys()}"
        for name in firing(prometheus) & wanted - found.keys():
            found[name] = now - begun
        if DYING in wanted - found.keys():
            pid, known = server.gateway(), prometheus.value(START)
            if pid not in (0, killed) and known > start:
                os.kill(pid, signal.SIGKILL)
                killed, start = pid, known
        time.sleep(0.02)
    return found
