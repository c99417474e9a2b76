"""Kernels that run without the GIL take it only in functions that always need it.

Cython takes the GIL at the entry of a function that has a `with gil` under a condition and holds
Python objects, whether the condition holds or not: every flush of a client without TLS paid for
those with TLS. So a `with gil` stands in the body of a function itself, or the function is declared
`with gil` and is called under the condition.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HEAD = re.compile(r"^( *)(?:cdef|cpdef|def) .*?[(]")
BLOCK = re.compile(r"^( *)with gil:")
STEP = 4


def conditional(text: str) -> list[int]:
    """Lines with a `with gil:` that is deeper than the body of its function."""
    found: list[int] = []
    body = 0
    for number, line in enumerate(text.splitlines(), 1):
        if head := HEAD.match(line):
            body = len(head[1]) + STEP
        elif (block := BLOCK.match(line)) and len(block[1]) > body:
            found.append(number)
    return found


def test_no_kernel_takes_the_gil_under_a_condition(root: Path) -> None:
    sources = sorted((root / "ticker").rglob("*.pyx"))
    assert len(sources) > 50
    bad = {
        str(path.relative_to(root)): lines
        for path in sources
        if (lines := conditional(path.read_text(encoding="utf-8")))
    }
    assert not bad, f"{bad}: move the block into a function that is declared `with gil`"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("cdef int f() noexcept nogil:\n    with gil:\n        g()\n", []),
        ("cdef int f() noexcept nogil:\n    if x:\n        with gil:\n            g()\n", [3]),
        (
            "cdef class A:\n    cdef int f(\n        self, int a\n    ) noexcept nogil:\n"
            "        with gil:\n            g()\n",
            [],
        ),
        (
            "cdef class A:\n    cdef int f(self) noexcept nogil:\n        for i in range(3):\n"
            "            with gil:\n                g()\n",
            [3 + 1],
        ),
    ],
)
def test_the_rule_itself(text: str, lines: list[int]) -> None:
    assert conditional(text) == lines
