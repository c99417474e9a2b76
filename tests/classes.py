"""Which class of the package derives from which, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.imports import IMPORT, PACKAGE, ROOT, code_of, module_name

CYTHON_CLASS = re.compile(
    r"^[ \t]*(?:cdef[ \t]+|cpdef[ \t]+)?class[ \t]+(?P<name>\w+)[ \t]*"
    r"(?:\((?P<bases>[^)]*)\))?[ \t]*:",
    re.MULTILINE,
)


class Class(NamedTuple):
    """A class of a module, and the full names of what it derives from."""

    module: str
    name: str
    bases: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


def classes(package: Path = PACKAGE, root: Path = ROOT) -> list[Class]:
    """Those of every .py and .pyx file; a .pxd or .pyi only says again what they say."""
    found: list[Class] = []
    for path in sorted(package.rglob("*.py*")):
        if path.suffix == ".py":
            found += _of_python(path, module_name(path, root))
        elif path.suffix == ".pyx":
            found += _of_cython(path, module_name(path, root))
    return found


def _of_python(path: Path, module: str) -> Iterator[Class]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            known |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            known |= {each.asname or each.name.split(".")[0]: each.name for each in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(_bare(base)) for base in node.bases]
            yield Class(module, node.name, tuple(_full(base, known, module) for base in bases))


def _bare(base: ast.expr) -> ast.expr:
    """Generic[T] is Generic."""
    return base.value if isinstance(base, ast.Subscript) else base


def _of_cython(path: Path, module: str) -> Iterator[Class]:
    code = code_of(path.read_text(encoding="utf-8"))
    header = path.with_suffix(".pxd")
    # What the .pxd cimports is known in the .pyx.
    above = code_of(header.read_text(encoding="utf-8")) + "\n" if header.exists() else ""
    known: dict[str, str] = {}
    for found in IMPORT.finditer(above + code):
        if not found["base"]:
            continue
        for name in found["names"].strip(" \t()").split(","):
            words = name.split()
            if words:
                known[words[-1]] = f"{found['base']}.{words[0]}"
    for found in CYTHON_CLASS.finditer(code):
        bases = (each.strip() for each in (found["bases"] or "").split(","))
        full = [_full(each, known, module) for each in bases if each and "=" not in each]
        yield Class(module, found["name"], tuple(full))


def _full(base: str, known: dict[str, str], module: str) -> str:
    """The full name of a base. One that is not imported is of this module, or built in."""
    first, dot, rest = base.partition(".")
    if first in known:
        return f"{known[first]}{dot}{rest}"
    return f"{module}.{base}"
