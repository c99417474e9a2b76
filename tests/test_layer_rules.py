"""The rules of test_layers.py, held against imports and trees of our own making."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports import graph, imports_of
from tests.test_layers import CALLS, HEADERS, broken_layer, circle, is_edge, is_pure


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("ticker.feeds.market.book", "ticker.shm.table", False),
        ("ticker.feeds.market.book", "ticker.gateway.hub.hub", True),
        ("ticker.feeds.market.book", "ticker.feeds.protocol", True),
        ("ticker.feeds.protocols.fix", "ticker.feeds.market.market", False),
        ("ticker.gateway.hub.hub", "ticker.feeds.market.market", True),
        ("ticker.gateway.worker", "ticker.feeds.session", True),
        ("ticker.gateway.hub.hub", "ticker.gateway.rest.http", True),
        ("ticker.gateway.rest.http", "ticker.gateway.prices.view", False),
        ("ticker.gateway.rest.http", "ticker.gateway.worker", True),
        ("ticker.shm.table", "ticker.feeds.market.market", True),
        ("ticker.config", "ticker.shm.segment", True),
        ("ticker.simulate.exchange", "ticker.gateway.front", True),
        ("ticker.simulate.exchange", "ticker.feeds.day", False),
        ("ticker.client.stream", "ticker.errors", False),
        ("ticker.client.stream", "ticker.shm.segment", True),
        ("ticker.supervisor.arbiter", "ticker.cli.serve", True),
        ("ticker.supervisor.arbiter", "ticker.simulate.exchange", True),
        ("ticker.cli.serve", "ticker.bench.report.report", False),
        ("ticker", "ticker.units", True),
        ("ticker.novelty.thing", "ticker.units", True),
        ("ticker.feeds.novelty.thing", "ticker.units", True),
        ("ticker.cli.novelty.thing", "ticker.units", True),
    ],
)
def test_the_rule_itself(module: str, imported: str, broken: bool) -> None:
    assert broken_layer(module, imported) is broken


@pytest.mark.parametrize(
    ("module", "pure"),
    [
        ("ticker.units", True),
        ("ticker.clock", False),
        ("ticker.feeds.fix.novelty", True),
        ("ticker.gateway.sockets.frames", True),
        ("ticker.gateway.sockets.connection", False),
        ("ticker.feeds.workers.worker", False),
        ("ticker.novelty.thing", False),
    ],
)
def test_what_is_pure(module: str, pure: bool) -> None:
    assert is_pure(module) is pure


@pytest.mark.parametrize(
    ("imported", "edge"),
    [("os", True), ("os.path", True), ("posix.time", True), ("ticker.clock", True),
     ("timeit", False), ("ticker.units", False)],
)  # fmt: skip
def test_what_is_an_edge(imported: str, edge: bool) -> None:
    assert is_edge(imported) is edge


def a_tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "house"


def test_every_way_to_import_is_found(tmp_path: Path) -> None:
    names = ("a.py", "b.pyx", "c.pxd", "d/__init__.py", "d/e.py", "d/f.pyx", "g.py", "h.pxd")
    house = a_tree(tmp_path, dict.fromkeys(names, ""))
    written = {
        "x.py": (
            "from typing import TYPE_CHECKING\nimport house.a, house.b as b\n"
            "from house import (\n    c,\n    g as other,\n)\n"
            "if TYPE_CHECKING:\n    from house.d.e import Thing\n"
            "def late():\n    from .d import f, name\n"
        ),
        "x.pyx": (
            "from house cimport (  # why\n    a,\n    b as c,\n)\nfrom house.c cimport Thing, \\\n"
            "    Other\ncimport house.d.f as f, house.h\nimport house.g\n"
            '"""\nfrom house.d import e\n"""\n# import house.d.e\n'
        ),
        "x.pxd": "from house.d.f cimport (Thing,\n  Other)\n    from house cimport h  # late\n",
    }
    wanted = {
        "x.py": ["house.a", "house.b", "house.c", "house.d", "house.d.e", "house.d.f", "house.g"],
        "x.pyx": ["house.a", "house.b", "house.c", "house.d.f", "house.g", "house.h"],
        "x.pxd": ["house.d.f", "house.h"],
    }
    for name, text in written.items():
        path = house / name
        path.write_text(text)
        found = {each for each in imports_of(path, tmp_path) if each.startswith("house")}
        assert sorted(found) == wanted[name], name


def test_a_circle_is_found(tmp_path: Path) -> None:
    files = {
        "__init__.py": "",
        "a.pyx": "from house.b cimport B\n",
        "b.pxd": "",
        "b.pyx": "from house import d\n",
        "d/__init__.py": "from house.d.e import E\n",
        "d/e.py": "if True:\n    import house.a\n",
    }
    found = circle(graph(a_tree(tmp_path, files), tmp_path))
    assert set(found) == {"house.a", "house.b", "house.d", "house.d.e"}
    assert found[0] == found[-1]
    (tmp_path / "house" / "d" / "e.py").write_text("")
    assert circle(graph(tmp_path / "house", tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cdef extern from <time.h>: pass", None),
        ('cdef extern from "time.h": pass', "time.h"),
        ('cdef extern from "<sys/epoll.h>": pass', "sys/epoll.h"),
        ("cdef extern from *:\n    #include <poll.h>", "poll.h"),
    ],
)
def test_which_headers_are_found(text: str, words: str | None) -> None:
    found = HEADERS.search(text)
    assert (found and (found[1] or found[2])) == words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open(path)", True),
        ("datetime.now(UTC)", True),
        ("date.today()", True),
        ("self.open(x)", False),
        ("cdef int open(self, int x)", False),
        ("reopen(x)", False),
        ("self.now(x)", False),
    ],
)
def test_which_calls_are_found(text: str, found: bool) -> None:
    assert bool(CALLS.search(text)) is found
