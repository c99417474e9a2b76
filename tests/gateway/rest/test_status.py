"""The state of feeds from their segments: readiness, age, lag."""

import pytest

from ticker.gateway.rest.metrics import BoxCollector
from ticker.gateway.rest.status import LATE_NS, Status, age, feed_ready
from ticker.shm import counters
from ticker.shm.counters import Heartbeat, record
from ticker.shm.header import Mapping
from ticker.shm.layout import StaleReason
from ticker.shm.liveness import WORKER_TIMEOUT_NS
from ticker.shm.segment import Geometry, private_feed, private_gateway
from ticker.shm.table import TableWriter

NOW = 1_774_881_002_000_000_000


def feed(state: int, symbols: int, lives: int) -> Mapping:
    mapping = private_feed(Geometry(rows=16, rings=1, ring_capacity=8), 7, NOW)
    for _ in range(lives):
        Heartbeat(mapping).take_over(1, NOW)
    Heartbeat(mapping).set_state(state)
    writer = TableWriter(mapping)
    for number in range(symbols):
        writer.add(f"S{number}", "XNAS")
    return mapping


@pytest.mark.parametrize(
    ("state", "symbols", "lives", "ready"),
    [
        (counters.STARTING, 0, 0, False),
        (counters.STARTING, 5, 1, False),
        (counters.RECOVERING, 5, 1, False),  # it is still catching up
        (counters.RECOVERING, 5, 2, True),  # a successor: its predecessor's prices are served
        (counters.LIVE, 0, 1, True),
        (counters.STALE, 0, 1, False),  # nothing ever came
        (counters.STALE, 5, 1, True),
        (counters.ENDED, 5, 1, True),
    ],
)
def test_ready_is_to_be_live_or_to_hold_prices(
    state: int, symbols: int, lives: int, ready: bool
) -> None:
    mapping = feed(state, symbols, lives)
    assert feed_ready(mapping) is ready
    status = Status([("sim", mapping)], required=["sim"], version="1", epoch=7)
    assert (status.waiting_for() == []) is ready


def test_a_worker_without_a_sign_of_life_is_hung_at_once() -> None:
    mapping = feed(counters.LIVE, 1, 1)
    gateway_mapping = private_gateway(NOW)
    Heartbeat(gateway_mapping).take_over(1, NOW)
    status = Status([("sim", mapping)], [("0", gateway_mapping)], version="1", epoch=7)
    for late, state in ((WORKER_TIMEOUT_NS - 1, "live"), (WORKER_TIMEOUT_NS, "hung")):
        (report,) = status.feed_reports(NOW + late)
        (gateway,) = status.gateway_reports(NOW + late)
        assert (report.state, gateway.state) == (state, state)
    families = BoxCollector(status, lambda: NOW + WORKER_TIMEOUT_NS).collect()
    (states,) = [family for family in families if family.name == "ticker_feed_state"]
    assert [each.labels["state"] for each in states.samples if each.value] == ["hung"]


@pytest.mark.parametrize(
    ("state", "why", "late", "said"),
    [
        (counters.LIVE, 0, 0, None),
        (counters.STALE, StaleReason.WHY_NO_JSON, 0, "no_json"),
        (counters.STALE, StaleReason.WHY_NOT_STARTED, 0, "not_started"),
        (counters.STALE, 0, 0, "no_worker"),
        (counters.STARTING, 0, 0, "starting"),
        (counters.RECOVERING, 0, 0, "recovering"),
        (counters.LIVE, 0, LATE_NS - 1, "silent"),
        (counters.LIVE, 0, LATE_NS, "hung"),
        (counters.LIVE, 0, WORKER_TIMEOUT_NS, "hung"),
        (counters.STALE, StaleReason.WHY_SILENT, WORKER_TIMEOUT_NS, "hung"),
    ],
)
def test_why_a_feed_is_stale(state: int, why: int, late: int, said: str | None) -> None:
    """By its worker's word; or what is the matter with its worker, or with the venue while it says
    nothing of it."""
    mapping = feed(state, 1, 1)
    heartbeat = Heartbeat(mapping)
    heartbeat.set_why(why)
    if late:
        heartbeat.heard(NOW - 1)
        heartbeat.set_patience(1, 0)
    status = Status([("sim", mapping)], version="1", epoch=7)
    (report,) = status.feed_reports(NOW + late)
    assert (report.why, report.status) == (said, "stale" if said else "live")
    families = BoxCollector(status, lambda: NOW + late).collect()
    (stale,) = [family for family in families if family.name == "ticker_feed_stale"]
    found = [each.labels["reason"] for each in stale.samples if each.value]
    assert found == ([said] if said else [])


def test_ages_are_never_negative_and_absent_before_the_first_time() -> None:
    assert age(0, NOW) is None
    assert age(NOW - 1_500_000_000, NOW) == 1.5
    assert age(NOW + 1, NOW) == 0


def test_lag_is_the_median_way_from_the_exchange() -> None:
    mapping = feed(counters.LIVE, 1, 1)
    for ns in (1_000_000, 2_000_000, 900_000_000):
        record(mapping, 0, ns)
    (report,) = Status([("sim", mapping)], version="1", epoch=7).feed_reports(NOW)
    assert report.lag == pytest.approx(0.002, rel=1 / 8)
    assert report.lag_p99 == pytest.approx(0.9, rel=1 / 8)
