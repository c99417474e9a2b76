"""Which modules a source file imports and cimports, read from its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ticker"
SOURCES = (".py", ".pyi", ".pyx", ".pxd")

# Strings and comments of Cython; what is left is code.
ASIDE = re.compile(
    r"\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*", re.DOTALL
)
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<base>[\w.]+)[ \t]+c?import[ \t]*(?P<names>\([^)]*\)|[^\n;]*)"
    r"|c?import[ \t]+(?P<modules>[^\n;]+))",
    re.MULTILINE,
)


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(package: Path = PACKAGE) -> list[Path]:
    return sorted(path for path in package.rglob("*") if path.suffix in SOURCES)


def linked(package: Path = PACKAGE) -> set[str]:
    """The modules of packages of their own that are linked into this one; their sources are checked
    where they stand."""
    links = [path for path in package.rglob("*") if path.is_symlink() and path.is_dir()]
    return {
        module_name(each)
        for link in links
        for each in (link, *link.glob("*.py"))
        if each.name != "__init__.py"
    }


def code_of(text: str) -> str:
    """A Cython text without its comments, with empty strings and joined lines."""
    bare = ASIDE.sub(lambda found: "" if found[0].startswith("#") else '""', text)
    return bare.replace("\\\n", " ")


def imports_of(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Every module that a file imports or cimports, wherever in the file; for names out of a
    package the modules that they are."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".py", ".pyi"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                yield from _out_of(path, base, [alias.name for alias in node.names], root)
        return
    for found in IMPORT.finditer(code_of(text)):
        if found["base"]:
            yield from _out_of(path, found["base"], _names(found["names"]), root)
        else:
            yield from _names(found["modules"])


def _names(text: str) -> list[str]:
    """The first word of each of `(a, b as c,)`."""
    return [name.split()[0] for name in text.strip(" \t()").split(",") if name.split()]


def _out_of(path: Path, base: str, names: Iterable[str], root: Path) -> Iterator[str]:
    if base.startswith("."):
        dots = len(base) - len(base.lstrip("."))
        package = module_name(path.parent / "__init__.py", root).split(".")
        above = package[: len(package) - dots + 1]
        base = ".".join([*above, *filter(None, [base.lstrip(".")])])
    folder = root / base.replace(".", "/")
    inner = [name for name in names if _is_module(folder / name)]
    yield from (f"{base}.{name}" for name in inner)
    if not inner or set(inner) != set(names):
        yield base


def _is_module(path: Path) -> bool:
    return path.is_dir() or any(path.with_name(path.name + end).exists() for end in SOURCES)


def graph(package: Path = PACKAGE, root: Path = ROOT) -> dict[str, set[str]]:
    """What each module of a package imports of it; a .pyx and its .pxd are one module.

    A package that is entered from outside runs its `__init__` first, so that is imported too.
    """
    found: dict[str, set[str]] = {}
    top = module_name(package / "__init__.py", root)
    for path in sources(package):
        module = module_name(path, root)
        imported = found.setdefault(module, set())
        for name in imports_of(path, root):
            if name == top or name.startswith(f"{top}."):
                imported.update({name, *_entered(module, name)} - {module})
    return {module: imported & found.keys() for module, imported in found.items()}


def _entered(module: str, imported: str) -> set[str]:
    """The packages around `imported` that are not around `module`."""
    parts = imported.split(".")
    around = {".".join(parts[:end]) for end in range(1, len(parts))}
    return {each for each in around if not f"{module}.".startswith(f"{each}.")}
