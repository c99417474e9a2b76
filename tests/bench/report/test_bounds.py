"""--fail-if: the grammar, the meaning of a bound, and the messages for wrong ones."""

from __future__ import annotations

import pytest

from ticker.bench.report.bounds import broken, microseconds, parse
from ticker.bench.report.figures import FIGURES, numbers, shown, unit_of

LATENCY = FIGURES["latency"]
FOUND = {
    "bench": "latency",
    "parameters": {"clients": 5},
    "update_p99_us": 50_000.0,
    "update_p99.9_us": 60_000.0,
    "update_max_us": 61_000.4,
    "clients_lost": 0,
    "gateway_cpu": 0.31,
    "violations": {"gaps": 2, "backwards": 1},
    "seen": {"updates": 100, "lagged": 3},
    "void": None,
}


def breaks(text: str, found: dict[str, object] = FOUND, bench: str = "latency") -> list[str]:
    return [str(each) for each in broken([parse(text, FIGURES[bench])], found)]


@pytest.mark.parametrize(
    ("text", "figure", "limit"),
    [
        ("p99>50ms", "update_p99_us", 50_000),
        ("p99.9 >= 1.5s", "update_p99.9_us", 1_500_000),
        (" max > 250000us ", "update_max_us", 250_000),
        ("update_p50_us>300", "update_p50_us", 300),
        ("update_p50>300µs", "update_p50_us", 300),
        ("update_p50<1ns", "update_p50_us", 0.001),
        ("gateway_cpu>85%", "gateway_cpu", 0.85),
        ("clients_lost>0", "clients_lost", 0),
        ("update_count<1e6", "update_count", 1_000_000),
        ("seen.lagged>0", "seen.lagged", 0),
        ("gateway_counters.laps>0", "gateway_counters.laps", 0),
        ("generator.busiest_core>=0.9", "generator.busiest_core", 0.9),
    ],
)
def test_a_bound_is_a_figure_and_a_limit_in_its_unit(text: str, figure: str, limit: float) -> None:
    bound = parse(text, LATENCY)
    assert bound.figure == figure
    assert float(bound.limit) == pytest.approx(limit)


@pytest.mark.parametrize(
    ("bench", "text", "figure"),
    [
        ("snapshot", "p99>5ms", "snapshot_p99_us"),
        ("fanout", "p99.99>5ms", "latency.p99.99_us"),
        ("crowd", "p50>5ms", "update_p50_us"),
        ("ingest-udp", "p99>5ms", "receive_to_publish_p99_us"),
        ("connections", "kb_per_idle_client>2kB", "kb_per_idle_client"),
        ("ingest", "ns_per_message>0.2us", "ns_per_message"),
        ("shm", "kills_longest>1ms", "kills_longest"),
        ("scaling", "cpu_ratio_spread>15%", "cpu_ratio_spread"),
    ],
)
def test_every_bench_has_its_figures(bench: str, text: str, figure: str) -> None:
    if bench == "shm":
        with pytest.raises(ValueError, match="no figure in ms"):
            parse(text, FIGURES[bench])
    else:
        assert parse(text, FIGURES[bench]).figure == figure


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p99", "is not a bound; write FIGURE>NUMBER, like p99>50ms"),
        ("p99>50ms or so", "is not a bound"),
        ("p99=50ms", "is not a bound"),
        ("p99>-1ms", "is not a bound"),
        ("p98>50ms", "no figure p98; .*There are p50 to max, update_count, .*gateway_counters"),
        ("client_lost>0", "no figure client_lost; do you mean clients_lost"),
        ("p99>50", "p99 needs a unit: ns, us, µs, ms, s"),
        ("p99>50kB", "p99 is no figure in kB, but in ns, us, µs, ms, s"),
        ("clients_lost>5ms", "clients_lost is no figure in ms, but in %"),
        ("seen.lgged>0", "no figure seen.lgged; do you mean seen.lagged"),
    ],
)
def test_what_is_no_bound_is_told_what_there_is(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text, LATENCY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p99>49.999ms", ["p99>49.999ms: update_p99_us is 50 ms"]),
        ("p99>50ms", []),
        ("p99>=50ms", ["p99>=50ms: update_p99_us is 50 ms"]),
        ("p99<50ms", []),
        ("p99<=50ms", ["p99<=50ms: update_p99_us is 50 ms"]),
        ("p99<1s", ["p99<1s: update_p99_us is 50 ms"]),
        ("gateway_cpu>30%", ["gateway_cpu>30%: gateway_cpu is 0.31"]),
        ("gateway_cpu>31%", []),
        ("violations>0", ["violations>0: violations is 3"]),
        ("seen.lagged>2", ["seen.lagged>2: seen.lagged is 3"]),
        ("p50>1s", ["p50>1s: update_p50_us was not measured"]),
    ],
)
def test_what_a_report_must_not_say(text: str, said: list[str]) -> None:
    assert breaks(text) == said


def test_a_bound_holds_in_every_run_of_a_sweep() -> None:
    rows = [{"share_of_capacity": share, "update_p99_us": 1e5 * share} for share in (0.1, 0.5, 0.8)]
    found: dict[str, object] = {"sweep": rows, "void": None}
    assert breaks("p99>50ms", found) == ["p99>50ms: update_p99_us is 80 ms in run 3 of 3"]
    assert len(breaks("p99>5ms", found)) == 3
    assert breaks("p99>80ms", found) == []


def test_a_report_is_flat_numbers() -> None:
    assert dict(numbers(FOUND)) == {
        "update_p99_us": 50_000.0,
        "update_p99.9_us": 60_000.0,
        "update_max_us": 61_000.4,
        "clients_lost": 0,
        "gateway_cpu": 0.31,
        "violations": 3,
        "seen.updates": 100,
        "seen.lagged": 3,
    }


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("update_p99.9_us", "us"),
        ("latency.p99_us", "us"),
        ("cpu_us_per_delivery", "us"),
        ("ns_per_message", "ns"),
        ("late_max_ms", "ms"),
        ("publish_1_rows_ns", "ns"),
        ("kb_per_idle_client", "kb"),
        ("kb_per_client_over_all.rss", "kb"),
        ("bytes_per_send", "bytes"),
        ("updates_per_second", ""),
        ("cpu_us_per_delivery_spread", ""),
        ("deliveries_per_us", ""),
    ],
)
def test_a_name_says_its_unit(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_figures_as_one_reads_them() -> None:
    assert shown("update_p99_us", 12_345.6) == "12.35 ms"
    assert shown("late_max_ms", 1.5) == "1.5 ms"
    assert shown("ns_per_message", 163.2) == "163.2 ns"
    assert shown("kb_per_idle_client", 1.608) == "1.608 kB"
    assert shown("updates_per_second", 12_345) == "12,345"
    assert shown("cpu_ratio_to_send_loop", 1.275) == "1.275"


@pytest.mark.parametrize(("text", "us"), [("250ms", 250_000), ("1.5 s", 1_500_000), ("3ns", 0.003)])
def test_a_time_has_its_unit(text: str, us: float) -> None:
    assert microseconds(text) == pytest.approx(us)


@pytest.mark.parametrize("text", ["250", "ms", "-1ms", "1kB", ""])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; give one like 250ms"):
        microseconds(text)
