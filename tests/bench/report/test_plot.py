"""Charts: valid XML, ticks that one can read, the same bytes for the same figures."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.report.axis import MOST_TICKS, Axis, text
from ticker.bench.report.plot import DISTINCT, HEIGHT, Bound, Series, chart, stack

SVG = "{http://www.w3.org/2000/svg}"
CLIENTS = Axis("clients", log=True)
LATENCY = Axis("latency", unit="us", log=True)
COST = Series("ticker", [(100, 900.0), (2000, 4200.0), (15_000, 260_000.0)])


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def of_class(svg: str, name: str) -> list[ElementTree.Element]:
    return [
        each
        for each in ElementTree.fromstring(svg).iter()
        if name in (each.get("class") or "").split()
    ]


def test_a_chart_names_all_that_it_shows() -> None:
    made = chart("Cost", CLIENTS, LATENCY, [COST], bounds=[Bound("250 ms", 250_000)], note="a run")
    shown = texts(made)
    assert {"Cost", "clients", "latency", "ticker", "a run", "250 ms"} <= set(shown)
    assert {"100", "1k", "10k", "1 ms", "10 ms", "100 ms"} <= set(shown)
    dots = of_class(made, "dot")
    assert [dot[0].text for dot in dots] == [
        "ticker: 900 µs at 100",
        "ticker: 4.2 ms at 2k",
        "ticker: 260 ms at 15k",
    ]


def test_higher_values_stand_higher_and_later_ones_further_right() -> None:
    dots = of_class(chart("x", CLIENTS, LATENCY, [COST]), "dot")
    across, up = ([float(dot.get(name) or "") for dot in dots] for name in ("cx", "cy"))
    assert across == sorted(across)
    assert up == sorted(up, reverse=True)


def test_the_same_figures_give_the_same_bytes() -> None:
    assert chart("x", CLIENTS, LATENCY, [COST]) == chart("x", CLIENTS, LATENCY, [COST])


def test_what_a_name_contains_is_no_markup() -> None:
    made = chart("<b> & co", CLIENTS, LATENCY, [Series("a<b", COST.points)], note="x > 1 && y")
    assert "a<b" in texts(made)
    assert not list(ElementTree.fromstring(made).iter(f"{SVG}script"))


def test_names_at_the_ends_do_not_lie_on_each_other() -> None:
    close = [Series(f"line {number}", [(1, 5.0), (2, 5.0 + number / 100)]) for number in range(8)]
    made = chart("x", Axis("x"), Axis("y"), close)
    rows = sorted(float(each.get("y") or "") for each in of_class(made, "name"))
    assert all(after - before >= 15 for before, after in pairwise(rows))
    assert len(rows) == 8


def test_ordered_series_take_the_whole_range_of_shades() -> None:
    few = chart("x", CLIENTS, LATENCY, [COST, Series("max", COST.points)], ordered=True)
    assert ".o0{stroke:#6da7ec}" in few
    assert ".o5{stroke:#03142b}" in few


def test_charts_below_each_other_keep_their_colours() -> None:
    one = chart("one", CLIENTS, LATENCY, [COST], note="short")
    two = chart("two", CLIENTS, LATENCY, [COST, COST], ordered=True)
    root = ElementTree.fromstring(stack([one, two]))
    assert [each.get("y") for each in root.iter(f"{SVG}svg")] == [None, "0", str(HEIGHT + 23)]
    assert root.get("height") == str(2 * HEIGHT + 23)
    assert len(of_class(stack([one, two]), "s0")) == 5
    assert stack([one]) == one


def test_a_line_of_many_points_has_no_dots() -> None:
    many = Series("many", [(number, 1.0) for number in range(100)])
    made = chart("x", Axis("x"), Axis("y"), [many])
    assert not of_class(made, "dot")
    assert len(of_class(made, "s0")) == 2  # the line and its key


@pytest.mark.parametrize(
    ("axis", "values", "shown"),
    [
        (Axis("a"), [3, 148_000], "0|20k|40k|60k|80k|100k|120k|140k|160k"),
        (Axis("a", unit="us"), [1.0, 9.3], "0|2 µs|4 µs|6 µs|8 µs|10 µs"),
        (Axis("a", unit="us"), [90_000], "0|20 ms|40 ms|60 ms|80 ms|100 ms"),
        (Axis("a", unit="share"), [0.1, 0.8], "0|10 %|20 %|30 %|40 %|50 %|60 %|70 %|80 %"),
        (Axis("a", unit="kB"), [1.1, 1.9], "0|0.5 kB|1 kB|1.5 kB|2 kB"),
        (Axis("a", unit="ratio", zero=False), [1.11, 1.29], "1.1|1.15|1.2|1.25|1.3"),
        (Axis("a", log=True), [100, 15_000], "100|200|500|1k|2k|5k|10k|20k"),
        (Axis("a", unit="us", log=True), [40, 3e6], "100 µs|1 ms|10 ms|100 ms|1 s"),
        (Axis("a", unit="bytes", log=True), [2e3, 5e6], "10 kB|100 kB|1 MB"),
        (Axis("a", ticks=((1, "p50"), (2, "max"))), [1, 2], "p50|max"),
        (Axis("a"), [0], "0|0.2|0.4|0.6|0.8|1"),
    ],
)
def test_ticks(axis: Axis, values: list[float], shown: str) -> None:
    assert "|".join(name for _, name in axis.scale(values).ticks) == shown


@given(st.lists(st.floats(1e-3, 1e12), min_size=1), st.booleans())
def test_every_value_lies_inside_its_axis(values: list[float], log: bool) -> None:
    scale = Axis("any", log=log).scale(values)
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)
    assert 2 <= len(scale.ticks) <= MOST_TICKS + 2 or log
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value, _ in scale.ticks)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_what_has_no_place_on_a_log_axis(value: float) -> None:
    with pytest.raises(ValueError, match=r"latency: .* has no place"):
        chart("x", CLIENTS, LATENCY, [Series("bad", [(1, value)])])


def test_a_chart_has_series_and_points_and_not_more_than_colours() -> None:
    with pytest.raises(ValueError, match="0 series"):
        chart("x", CLIENTS, LATENCY, [])
    with pytest.raises(ValueError, match="9 series"):
        chart("x", CLIENTS, LATENCY, [COST] * (len(DISTINCT) + 1))
    with pytest.raises(ValueError, match="clients: no values"):
        chart("x", CLIENTS, LATENCY, [Series("none", [])])


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (2500, "us", "2.5 ms"),
        (999.7, "us", "1 ms"),
        (0.25, "us", "250 ns"),
        (0, "us", "0 ns"),
        (0.831, "share", "83.1 %"),
        (148_321, "count", "148k"),
        (1.234, "kB", "1.23 kB"),
    ],
)
def test_values_as_one_reads_them(value: float, unit: str, shown: str) -> None:
    assert text(value, unit) == shown
