"""Each report that can be drawn is drawn, from its JSON alone."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from ticker.bench.latency import prefixed
from ticker.bench.report.charts import draw
from ticker.bench.report.figures import SHORT
from ticker.bench.report.latencies import Latencies
from ticker.bench.report.report import Report, report
from ticker.bench.swarm.histogram import Histogram

SVG = "{http://www.w3.org/2000/svg}"


def waits(scale: int) -> dict[str, object]:
    histogram = Histogram()
    for number in range(1, 1001):
        histogram.record(number * number * scale)
    return Latencies.load(histogram.dump()).summary()


def shown(found: Report) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(draw(found)).iter(f"{SVG}text")]


def dots(found: Report) -> list[str]:
    root = ElementTree.fromstring(draw(found))
    return [each[0].text or "" for each in root.iter(f"{SVG}circle")]


def test_latency_over_load() -> None:
    rows = [
        {"share_of_capacity": share, **prefixed("update", waits(round(100 * share)))}
        for share in (0.8, 0.1, 0.5)
    ]
    found = report("latency", {}, {"sweep": rows, "void": None})
    assert {*SHORT, "80 %", "latency"} <= set(shown(found))
    of_p50 = [each for each in dots(found) if each.startswith("p50: ")]
    assert of_p50 == ["p50: 2.5 ms at 10 %", "p50: 12.5 ms at 50 %", "p50: 20 ms at 80 %"]


def test_the_percentile_curve_is_that_of_the_whole_histogram() -> None:
    found = report("latency", {}, {**prefixed("update", waits(100)), "void": None})
    assert {"p50", "p99.99", "max", "update"} <= set(shown(found))
    assert dots(found)[0] == "update: 25 ms at p50"
    assert dots(found)[-1] == "update: 100 ms at max"
    assert len(dots(found)) == 10


def test_waits_without_a_histogram_are_their_figures() -> None:
    figures = {f"{name}_us": 1000.0 * place for place, name in enumerate(SHORT, 1)}
    both = {**prefixed("exchange_to_receive", figures), **prefixed("receive_to_publish", figures)}
    assert len(dots(report("ingest-udp", {}, both))) == 12


def test_a_void_report_says_so_in_its_chart() -> None:
    found = report("snapshot", {}, {**prefixed("snapshot", waits(1)), "void": "too busy"})
    note = " ".join(shown(found))
    assert "VOID: too busy" in note
    assert f"{found['machine']['cores']} cores · ticker {found['versions']['ticker']}" in note


def test_scaling_shows_deliveries_and_their_cost() -> None:
    rows = [
        {
            "clients": clients,
            "deliveries_per_second": 50 * clients,
            "cpu_us_per_delivery": 1.5,
            "cpu_us_per_client_flush": 7.5,
            "send_loop_us_per_send": 6.0,
            "cpu_ratio_to_send_loop": 1.25,
            "void": "too busy" if clients > 9000 else None,
        }
        for clients in (100, 2000, 15_000)
    ]
    found = report("scaling", {}, {"over": "clients", "what": "clients", "points": rows})
    assert {"client flush", "send of the C loop", "delivery", "one CPU second"} <= set(shown(found))
    assert "one CPU second: 667k at 2,000" in dots(found)
    assert "ratio: 1.25 at 2,000" in dots(found)
    assert not any("15,000" in each for each in dots(found)), "a void point is not drawn"


def test_connections_show_memory() -> None:
    memory = [
        {"clients": count, "gateway_rss_kb": 60_000 + 2 * count, "gateway_private_kb": 40_000}
        for count in (0, 500, 1000)
    ]
    assert "resident: 62 MB at 1k" in dots(report("connections", {}, {"memory": memory}))


def test_capacity_shows_its_steps_and_the_bound() -> None:
    rows = [
        {"clients": clients, **prefixed("update", waits(clients))} for clients in (2000, 500, 2000)
    ]
    parameters = {"vary": "clients"}
    results = {"capacity": "2,000 clients", "vary": "clients", "bound_us": 250_000, "steps": rows}
    found = report("capacity", parameters, results)
    assert {"bound 250 ms", "Capacity: 2,000 clients", "max"} <= set(shown(found))
    assert len([each for each in dots(found) if each.startswith("max: ")]) == 2


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"bench": "shm"}, "shm has nothing to plot; latency, "),
        ({"bench": "scaling", "points": []}, "fewer than two points"),
        ({"bench": "latency", **prefixed("update", Latencies().summary())}, "nothing was measured"),
    ],
)
def test_what_has_nothing_to_plot(found: Report, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        draw(found)
