"""The end of a Cython class frees memory by what it holds itself, and never asks other objects.

The garbage collector clears the members of a cycle before `__dealloc__` of each runs: a member that
was an object is None by then, and a field of it is a word of other memory. A length that was read
like that let one process unmap most of itself. `@cython.no_gc_clear` keeps the members of a class
that has to tell another object.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

CLASS = re.compile(r"^(?:@\S.*\n)*(?:cdef )?class (\w+)", re.MULTILINE)
KIND = r"(?:public |readonly )?([\w.]+)"
MEMBER = re.compile(rf"^    cdef {KIND} (\w+(?:, \w+)*) *(?:#.*)?$", re.MULTILINE)
METHOD = re.compile(r"^    (?:cdef|cpdef|def)\b[^\n]*?\b(\w+)\(", re.MULTILINE)
USED = re.compile(r"\bself\.(\w+)(\(?)")
OBJECTS = {"object", "list", "dict", "set", "tuple", "bytes", "str", "bytearray", "memoryview"}


def cut(head: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """The name that each head has, and the text up to the next one."""
    found = list(head.finditer(text))
    for each, after in zip_longest(found, found[1:]):
        yield each[1], text[each.start() : after and after.start()]


def asked_at_the_end(sources: dict[str, str]) -> dict[str, list[str]]:
    """By class, the members that are objects and that its `__dealloc__` uses, or a method that it
    calls."""
    bodies: dict[tuple[str, str], str] = defaultdict(str)
    for path, text in sources.items():
        for name, body in cut(CLASS, text):
            bodies[path.rpartition(".")[0], name] += body
    objects = OBJECTS | {name for _, name in bodies}
    found: dict[str, list[str]] = {}
    for (_, name), body in bodies.items():
        members = {
            member
            for kind, them in MEMBER.findall(body)
            if kind.rpartition(".")[2] in objects
            for member in them.split(", ")
        }
        its, todo, seen = dict(cut(METHOD, body)), ["__dealloc__"], set[str]()
        used: set[str] = set()
        while todo:
            method = todo.pop()
            if method in seen or method not in its:
                continue
            seen.add(method)
            for each, call in USED.findall(its[method]):
                if call:
                    todo.append(each)
                elif each in members:
                    used.add(each)
        if used and "@cython.no_gc_clear" not in body:
            found[name] = sorted(used)
    return found


def test_no_class_asks_its_objects_when_it_ends(root: Path) -> None:
    sources = {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for suffix in ("pxd", "pyx")
        for path in sorted((root / "ticker").rglob(f"*.{suffix}"))
    }
    assert sum("__dealloc__" in text for text in sources.values()) > 30
    bad = asked_at_the_end(sources)
    assert not bad, f"{bad}: keep a length, or a pointer, in the class that frees the memory"


def test_the_rule_itself() -> None:
    sources = {
        "a/table.pxd": "cdef class Table:\n    cdef int used\n",
        "a/rows.pxd": (
            "cdef class Rows:\n    cdef Table table, other\n    cdef int size\n"
            "    cdef readonly dict names\n    cdef int drop(self) except -1\n"
            "cdef class More:\n    cdef Place table\n"
        ),
        "a/rows.pyx": (
            "cdef class Rows:\n    def __dealloc__(self) -> None:\n        free(self.size)\n"
            "        self.drop()\n\n    cdef int drop(self) except -1:\n"
            "        give(self.table.used)\n\n    def ask(self) -> dict:\n"
            "        return self.names\n\n"
            "cdef class More:\n    def __dealloc__(self) -> None:\n        free(self.table.at)\n\n"
            "@cython.no_gc_clear\ncdef class Keeps(Rows):\n    cdef Table table\n"
            "    def __dealloc__(self) -> None:\n        self.table.used = 0\n"
        ),
    }
    assert asked_at_the_end(sources) == {"Rows": ["table"]}
