"""The kernels that are compiled with -O1 (setup.py: COLD) are off the way of a price."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CIMPORT = re.compile(r"^\s*(?:from\s+(ticker[\w.]*)\s+cimport\b|cimport\s+(ticker[\w.]*))", re.M)


@pytest.fixture(scope="module")
def lists(root: Path) -> dict[str, tuple[str, ...]]:
    """COLD and WITH_GIL."""
    return {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in ast.parse((root / "setup.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("COLD", "WITH_GIL")
    }


@pytest.fixture(scope="module")
def cold(lists: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return lists["COLD"]


def sources(root: Path, *endings: str) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in sorted((root / "ticker").rglob("*"))
        if path.suffix in endings
    ]


def test_each_entry_is_of_a_kernel(root: Path, lists: dict[str, tuple[str, ...]]) -> None:
    kernels = sources(root, ".pyx")
    entries = lists["COLD"] + lists["WITH_GIL"]
    assert [entry for entry in entries if not any(each.startswith(entry) for each in kernels)] == []


def test_no_kernel_on_the_way_calls_one_that_is_off_it(root: Path, cold: tuple[str, ...]) -> None:
    wrong = []
    for name in sources(root, ".pyx", ".pxd"):
        if name.startswith(cold):
            continue
        for first, second in CIMPORT.findall((root / name).read_text()):
            used = (first or second).replace(".", "/") + ".pyx"
            if used.startswith(cold):
                wrong.append(f"{name} cimports {used}, which setup.py compiles with -O1")
    assert wrong == []


def test_a_kernel_on_the_way_that_is_compiled_like_them_has_no_function_without_the_gil(
    root: Path, lists: dict[str, tuple[str, ...]]
) -> None:
    found = [each for each in sources(root, ".pyx") if each.startswith(lists["WITH_GIL"])]
    lines = [line for each in found for line in (root / each).read_text().splitlines()]
    assert [line for line in lines if re.match(r"[^#]*\bnogil\b", line)] == []


@pytest.mark.parametrize(
    "room", ["cluster", "feeds/market", "feeds/protocols", "gateway/hub", "gateway/sockets", "shm"]
)
def test_what_is_called_for_each_message_is_compiled_for_speed(
    cold: tuple[str, ...], root: Path, room: str
) -> None:
    kernels = [each for each in sources(root, ".pyx") if each.startswith(f"ticker/{room}/")]
    assert kernels
    assert [each for each in kernels if each.startswith(cold)] == []
