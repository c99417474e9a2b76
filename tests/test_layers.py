"""Law 7, imports point one way, and law 6, no I/O and no clock inside, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ticker"

# What each layer may import; the first that fits a module's name is its layer.
FOUNDATION = frozenset({"units", "errors", "clock", "checks", "endian", "pages"})
LAYERS: list[tuple[str, frozenset[str]]] = [
    ("ticker.units", FOUNDATION),
    ("ticker.errors", FOUNDATION),
    ("ticker.clock", FOUNDATION),
    ("ticker.checks", FOUNDATION),
    ("ticker.endian", FOUNDATION),
    ("ticker.pages", FOUNDATION),
    ("ticker.simulate", FOUNDATION | {"config", "log", "shm", "feeds", "simulate"}),
    ("ticker.config", FOUNDATION | {"config"}),
    ("ticker.client", FOUNDATION | {"client"}),
    ("ticker.log", FOUNDATION | {"log"}),
    ("ticker.shm", FOUNDATION | {"config", "shm"}),
    ("ticker.feeds", FOUNDATION | {"config", "log", "shm", "feeds"}),
    ("ticker.store", FOUNDATION | {"crc32c", "config", "log", "shm", "store"}),
    ("ticker.crc32c", FOUNDATION),
    ("ticker.gateway", FOUNDATION | {"config", "log", "shm", "gateway"}),
    (
        "ticker.supervisor",
        FOUNDATION | {"config", "log", "shm", "feeds", "gateway", "supervisor"},
    ),
    (
        "ticker.bench",
        FOUNDATION
        | {"config", "log", "shm", "feeds", "gateway", "supervisor", "client", "simulate", "bench"},
    ),
]

# Law 6: bytes in, events out. These may know no socket, no loop, no clock. (Not in the list, as
# they are edges: transports, workers, front, a connection, which sends, and what speaks HTTP.)
PURE = re.compile(
    r"ticker\.(units|errors|checks|endian|pages"
    r"|shm\.(layout|table|ring|header|counters|liveness|rejects)"
    r"|feeds\.(calls|day|protocol|python_protocol|session)"
    r"|feeds\.(protocols|sessions|market|sequence|cboe|iex|json|pillar)"
    r"|feeds\.fix\.(initiator|stream|fields|entries|message|dictionary|requests)"
    r"|feeds\.transports\.(dialogue|link|interfaces|jsonstream)"
    r"|gateway\.(hub|protocol|rest\.resources)"
    r"|gateway\.access\.(access|addresses|auth|handshake|proxy)"
    r"|gateway\.prices\.(board|liveness|consolidate|view)"
    r"|gateway\.sockets\.(deadlines|frames)"
    r"|simulate\.(market|servers\.history)"
    r"|simulate\.speakers\.(alpaca|cboe|fix|iex|itch|json|little|packet|pillar|pitch|speaker|text))"
    r"(\..*)?"
)
EDGES = frozenset(
    {
        "asyncio", "uvloop", "aiohttp", "socket", "select", "selectors", "ssl", "threading",
        "time", "sched", "signal", "subprocess", "multiprocessing", "ticker.clock",
        "posix.time", "libc.time", "posix.select", "posix.socket",
    }
)  # fmt: skip

CIMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(.*)|c?import\s+(.*))$")
HEADER = re.compile(r'^\s*cdef extern from "([^"]+)"|^\s*cdef extern from <?"?<([^>]+)>')
EDGE_HEADERS = frozenset({"time.h", "sys/time.h", "sys/socket.h", "sys/epoll.h", "poll.h"})


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports or cimports, wherever in the file."""
    text = path.read_text()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from from_import(path, "." * node.level + (node.module or ""), node.names)
        return
    for line in text.splitlines():
        if match := CIMPORT.match(line.split("#")[0]):
            base, names, plain = match.groups()
            if plain:
                yield from (name.split(" as ")[0].strip() for name in plain.split(","))
            elif base:
                listed = [ast.alias(n.strip()) for n in names.strip("() ").split(",") if n.strip()]
                yield from from_import(path, base, listed)


def from_import(path: Path, base: str, names: list[ast.alias]) -> Iterator[str]:
    """The modules in `from base import names`: base itself, and names that are modules."""
    if base.startswith("."):
        package = module_name(path.parent / "__init__.py").split(".")
        dots = len(base) - len(base.lstrip("."))
        base = ".".join([*package[: len(package) - dots + 1], *filter(None, [base.lstrip(".")])])
    yield base
    if base.startswith("ticker"):
        folder = ROOT / base.replace(".", "/")
        for alias in names:
            name = alias.name.split(" as ")[0].strip()
            if (folder / name).is_dir() or any(folder.glob(f"{name}.p*")):
                yield f"{base}.{name}"


def sources() -> list[Path]:
    return sorted(path for ending in ("py", "pyx", "pxd") for path in PACKAGE.rglob(f"*.{ending}"))


def broken_layer(module: str, imported: str) -> bool:
    """Whether `module` must not import `imported`."""
    if not imported.startswith("ticker.") or module in ("ticker", "ticker.__main__"):
        return False
    for layer, allowed in LAYERS:
        if module == layer or module.startswith(f"{layer}."):
            return imported.split(".")[1] not in allowed
    return not module.startswith("ticker.cli")


def test_every_import_points_down() -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in sources()
        for imported in imports_of(path)
        if broken_layer(module_name(path), imported)
    ]
    assert not broken, "law 7: imports point one way"


def test_bytes_in_events_out() -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in sources()
        if PURE.fullmatch(module_name(path))
        for imported in imports_of(path)
        if imported in EDGES or imported.split(".")[0] in EDGES
    ]
    assert not broken, "law 6: no I/O and no clock inside; pass bytes and now_ns in"


def test_pure_kernels_include_no_header_of_the_edges() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources()
        if path.suffix != ".py" and PURE.fullmatch(module_name(path))
        for line in path.read_text().splitlines()
        if (match := HEADER.match(line)) and (match[1] or match[2]).strip("<>") in EDGE_HEADERS
    ]
    assert not broken, "law 6: no clock and no socket by way of C either"


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("ticker.feeds.market.book", "ticker.shm.table", False),
        ("ticker.feeds.market.book", "ticker.gateway.hub.hub", True),
        ("ticker.gateway.hub.hub", "ticker.feeds.market.market", True),
        ("ticker.shm.table", "ticker.feeds.market.market", True),
        ("ticker.config", "ticker.shm.segment", True),
        ("ticker.supervisor.arbiter", "ticker.cli.serve", True),
        ("ticker.cli.serve", "ticker.bench.report.report", False),
        ("ticker.novelty", "ticker.units", True),  # a new layer must be placed here first
    ],
)
def test_the_rule_itself(module: str, imported: str, broken: bool) -> None:
    assert broken_layer(module, imported) is broken


def test_imports_are_found(tmp_path: Path) -> None:
    """Every way to write an import that occurs in this tree."""
    found = list(imports_of(PACKAGE / "feeds" / "session.pxd"))
    assert "ticker.feeds.protocol" in found
    found = list(imports_of(PACKAGE / "cli" / "serve.py"))
    assert {"ticker.log", "ticker.feeds.workers.worker", "ticker.supervisor.serve"} <= set(found)
    assert "time" in imports_of(PACKAGE / "clock.py")
    text = "import a.b, c as d\nfrom e cimport (\n    f,\n)\n    from g import h  # why\n"
    (tmp_path / "x.pyx").write_text(text)
    assert list(imports_of(tmp_path / "x.pyx")) == ["a.b", "c", "e", "g"]
