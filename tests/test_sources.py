"""`make` rebuilds the sources whose content changed (.ci/sources.py)."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import pytest

OLD, NOW, LATER = 1_000 * 10**9, 2_000 * 10**9, 3_000 * 10**9


@pytest.fixture(scope="module")
def script(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / ".ci" / "sources.py"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "ticker/a.pyx",
        "ticker/a.pxd",
        "ticker/room/b.pyx",
        "ticker/c.py",
        "ticker/c/d.c",
    ):
        write(tmp_path / name, name)
    return tmp_path


def write(path: Path, text: str, changed_ns: int = OLD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(changed_ns, changed_ns))


def time_of(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_times_are_believed_where_nothing_was_seen_before(
    script: dict[str, Any], tree: Path
) -> None:
    seen = script["look"](tree, {}, NOW)
    assert {name: changed for name, (_, changed) in seen.items()} == dict.fromkeys(
        ("ticker/a.pyx", "ticker/a.pxd", "ticker/room/b.pyx", "ticker/c/d.c"), OLD
    )
    assert script["look"](tree, seen, LATER) == seen


def test_a_source_that_was_moved_is_new(script: dict[str, Any], tree: Path) -> None:
    seen = script["look"](tree, {}, NOW)
    (tree / "ticker/room/b.pyx").rename(tree / "ticker/d.pyx")
    after = script["look"](tree, seen, NOW)
    assert time_of(tree / "ticker/d.pyx") == after["ticker/d.pyx"][1] == NOW
    assert "ticker/room/b.pyx" not in after
    assert time_of(tree / "ticker/a.pyx") == OLD


def test_one_over_another_is_new_though_it_is_old(script: dict[str, Any], tree: Path) -> None:
    seen = script["look"](tree, {}, NOW)
    (tree / "ticker/room/b.pyx").replace(tree / "ticker/a.pyx")
    assert script["look"](tree, seen, NOW)["ticker/a.pyx"][1] == NOW
    assert time_of(tree / "ticker/a.pyx") == NOW


def test_one_that_was_only_touched_gets_its_time_back(script: dict[str, Any], tree: Path) -> None:
    seen = script["look"](tree, {}, NOW)
    write(tree / "ticker/a.pyx", "ticker/a.pyx", LATER)
    write(tree / "ticker/a.pxd", "other", LATER)
    after = script["look"](tree, seen, LATER + 1)
    assert (time_of(tree / "ticker/a.pyx"), time_of(tree / "ticker/a.pxd")) == (OLD, LATER + 1)
    assert after["ticker/a.pyx"] == seen["ticker/a.pyx"]


def test_what_was_compiled_from_one_that_is_gone_goes(script: dict[str, Any], tree: Path) -> None:
    ending = ".cpython-311-x86_64-linux-gnu.so"
    kept = [
        f"ticker/a{ending}",
        f"ticker/_cython{ending}",  # Cython's own code
        "build/cython/ticker/_cython.c",
        "build/cython/ticker/a.c",
        "build/cython/ticker/c/d.c",
        f"build/debug/lib/ticker/a{ending}",
    ]
    gone = [
        f"ticker/room/e{ending}",
        "build/cython/ticker/room/e.c",
        "build/cython-debug/ticker/e.c",
        f"build/asan/lib/ticker/room/e{ending}",
    ]
    for name in (*kept, *gone):
        write(tree / name, "")
    removed = script["remove_orphans"](tree, script["look"](tree, {}, NOW))
    assert sorted(str(path.relative_to(tree)) for path in removed) == sorted(gone)
    assert all((tree / name).exists() for name in kept)


def test_the_manifest_changes_with_the_sources(script: dict[str, Any], tree: Path) -> None:
    seen = script["look"](tree, {}, NOW)
    manifest = tree / "build" / "sources"
    assert script["read"](manifest) == {}
    write(manifest, "cut {")
    assert script["read"](manifest) == {}
    write(manifest, json.dumps(seen))
    assert script["read"](manifest) == seen
