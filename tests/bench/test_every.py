"""`ticker bench all`: one report with each bench, bounds and highlights by `bench.figure`."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace

import pytest

from ticker.bench import capacity, every, fanout
from ticker.bench.report.bounds import broken, parse
from ticker.bench.report.charts import draw
from ticker.bench.report.figures import FIGURES, HIGHLIGHTS, numbers, resolve
from ticker.bench.report.report import report, table
from ticker.bench.rig.rig import Load
from ticker.errors import BenchError

Require = Callable[[object, str], None]
LOAD = Load(clients=10, symbols=20, per_client=2, flush_interval=0.02, warm_up=0.2)


def test_it_runs_every_bench_that_has_highlights() -> None:
    assert list(every.parts(LOAD, 1.0, 1e6)) == list(HIGHLIGHTS)


def test_a_bench_that_cannot_run_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> dict[str, object]:
        raise BenchError("no C compiler")

    two = {"ingest": fails, "latency": lambda: {"updates_per_second": 5, "void": None}}
    monkeypatch.setattr(every, "parts", lambda *_: two)
    found = report("all", {}, every.run(LOAD, 1.0, 1e6))
    assert found["void"] == "ingest: it did not run: no C compiler"
    assert found["latency"]["updates_per_second"] == 5
    assert "latency.updates_per_second" in table(found)
    bounds = [parse("latency.updates_per_second<6", FIGURES["all"])]
    assert [str(each.bound.figure) for each in broken(bounds, found)] == [
        "latency.updates_per_second"
    ]


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("latency.p99>50ms", "latency.update_p99_us"),
        ("fanout.p99.9>50ms", "fanout.latency.p99.9_us"),
        ("capacity.max>1s", "capacity.update_max_us"),
        ("capacity.clients<5000", "capacity.clients"),
        ("connections.kb_per_idle_client>2kB", "connections.kb_per_idle_client"),
        ("latency.seen.lagged>0", "latency.seen.lagged"),
    ],
)
def test_a_bound_names_the_bench_first(text: str, figure: str) -> None:
    assert parse(text, FIGURES["all"]).figure == figure


def test_every_highlight_is_a_figure_or_a_word_of_its_bench() -> None:
    words = {"capacity", "bounded_by"}
    for bench, names in HIGHLIGHTS.items():
        assert set(names) - words <= set(FIGURES[bench])


@pytest.mark.slow
def test_all_of_them(require: Require, monkeypatch: pytest.MonkeyPatch) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")
    monkeypatch.setattr(every, "MESSAGES", 60_000)
    monkeypatch.setattr(every, "TURNS", 1)
    monkeypatch.setattr(every, "IDLE_CLIENTS", 20)
    monkeypatch.setattr(fanout, "SEGMENT_SECONDS", 0.2)
    monkeypatch.setattr(capacity, "STEPS", 1)
    found = report("all", vars(replace(LOAD)), every.run(LOAD, 0.2, 2e6))
    assert "did not run" not in str(found["void"])
    unknown = {name for name, _ in numbers(found) if resolve(name, FIGURES["all"]) != name}
    assert unknown == set()
    shown = table(found)
    for line in ("ingest.messages_per_second", "fanout.cpu_ratio_to_send_loop", "capacity.capac"):
        assert line in shown
    assert ElementTree.fromstring(draw(found)).tag.endswith("svg")
