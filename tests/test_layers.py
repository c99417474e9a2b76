"""Law 7, imports point one way, and law 6, no I/O and no clock inside, read from the sources.

rooms.py has the rooms and their order. A file without a rule fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.imports import (
    PACKAGE,
    ROOT,
    SOURCES,
    code_of,
    graph,
    imports_of,
    linked,
    module_name,
    sources,
)
from tests.rooms import ALL, APART, MOST_LINES, MOST_MODULES, ROOMS, WAITING

ORDER = list(ROOMS)
# Files that are read, served or compiled into others: they import nothing.
INERT = frozenset(
    {".c", ".css", ".csv", ".h", ".html", ".js", ".json", ".proto", ".svg", ".toml", ".txt",
     ".typed"}
)  # fmt: skip
BUILT = frozenset({".so", ".pyc"})

EDGES = frozenset(
    {
        "aiohttp", "asyncio", "concurrent", "fcntl", "http.client", "importlib", "io", "logging",
        "mmap", "multiprocessing", "os", "pathlib", "posix_ipc", "sched", "select", "selectors",
        "shutil", "signal", "socket", "ssl", "structlog", "subprocess", "tempfile", "threading",
        "time", "urllib.request", "uvloop", "ticker.clock", "ticker.lines", "ticker.log", "posix",
        "libc.time",
    }
)  # fmt: skip
"""Modules, with all inside of them, that a pure one imports none of."""
HEADERS = re.compile(
    r'"<?((?:sys|net|netinet|arpa)/\w+\.h|(?:time|poll|fcntl|unistd|stdio|pthread)\.h)>?"'
    r"|#\s*include\s*[<\"](\S+)[>\"]"
)
# Memory is no I/O.
HARMLESS = frozenset(
    {"stdint.h", "string.h", "endian.h", "assert.h", "stddef.h", "stdlib.h", "sys/mman.h"}
)
CALLS = re.compile(
    r"(?<![\w.])(?:open|print|input|exec|eval|__import__)\((?!self\b)"
    r"|\bdate(?:time)?\.(?:now|utcnow|today)\("
)
"""What reads a clock or a file, or imports, without an import that is seen."""


def room_of(module: str) -> str | None:
    """The room that a module is in: the folder around it. None: it has no place in rooms.py."""
    if module in ROOMS:
        return module
    around = module.rpartition(".")[0]
    return around if around in ROOMS else None


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def broken_layer(module: str, imported: str) -> bool:
    """Whether `module` must not import `imported`, both of ticker."""
    room, other = room_of(module), room_of(imported)
    if module == "ticker":
        return True
    if room is None or other is None or ORDER.index(other) > ORDER.index(room):
        return True
    apart = (far for home, far in APART.items() if inside(room, home))
    return any(inside(other, package) for far in apart for package in far)


def is_pure(module: str) -> bool:
    room = room_of(module)
    return room is not None and ROOMS[room] != ALL and module.split(".")[-1] not in ROOMS[room]


def pure_sources() -> Iterator[tuple[Path, str]]:
    for path in sources():
        if path.suffix != ".pyi" and is_pure(module_name(path)):
            yield path, path.read_text(encoding="utf-8")


def is_edge(imported: str) -> bool:
    return any(inside(imported, edge) for edge in EDGES)


# Law 7


def test_every_file_has_a_room() -> None:
    lost = [
        str(path.relative_to(ROOT))
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and path.suffix not in BUILT
        if path.suffix not in SOURCES + tuple(INERT)
        or (path.suffix in SOURCES and room_of(module_name(path)) is None)
    ]
    assert not lost, "no rule for these: give them a room in tests/rooms.py"


def test_every_room_and_every_edge_is_there() -> None:
    modules = {module_name(path) for path in sources()} | linked()
    named = {f"{room}.{edge}" for room, edges in ROOMS.items() for edge in edges - ALL}
    assert not (set(ROOMS) | named) - modules, "in tests/rooms.py, but not in the tree"


def test_every_import_points_down() -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in sources()
        for imported in imports_of(path)
        if inside(imported, "ticker") and broken_layer(module_name(path), imported)
        if (module_name(path), imported) not in WAITING
    ]
    assert not broken, "law 7: imports point one way; tests/rooms.py has the order"


def test_every_import_is_of_a_module_that_is_there() -> None:
    modules = {module_name(path) for path in sources()} | linked()
    lost = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in sources()
        for imported in imports_of(path)
        if inside(imported, "ticker") and imported not in modules
    ]
    assert not lost


def circle(modules: dict[str, set[str]]) -> list[str]:
    """Modules that import each other around, or none."""
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def modules_of_ticker() -> dict[str, set[str]]:
    return {
        module: {each for each in imported if (module, each) not in WAITING}
        for module, imported in graph().items()
    }


def test_no_circle_of_files() -> None:
    assert circle(modules_of_ticker()) == []


def test_no_circle_of_rooms() -> None:
    rooms: dict[str, set[str]] = {}
    for module, imported in modules_of_ticker().items():
        home = str(room_of(module))
        rooms.setdefault(home, set()).update({str(room_of(each)) for each in imported} - {home})
    assert circle(rooms) == []


# Law 6


def test_bytes_in_events_out() -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path, _ in pure_sources()
        for imported in imports_of(path)
        if is_edge(imported)
    ]
    assert not broken, "law 6: no I/O and no clock inside; pass bytes and now_ns in"


def test_no_clock_and_no_file_by_a_call() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path, text in pure_sources()
        for found in CALLS.finditer(code_of(text))
    ]
    assert not broken, "law 6: no I/O and no clock inside; pass bytes and now_ns in"


def test_no_clock_and_no_socket_by_way_of_c() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {header}"
        for path, text in pure_sources()
        if path.suffix != ".py"
        for found in HEADERS.finditer(text)
        if (header := found[1] or found[2]) not in HARMLESS and not header.startswith("ticker/")
    ]
    assert not broken, "law 6: no clock and no socket by way of C either"


# Sizes


def test_no_folder_is_a_hallway() -> None:
    crowded = {}
    for folder in {path.parent for path in sources()}:
        modules = {path.stem for path in folder.iterdir() if path.suffix in SOURCES}
        if len(modules - {"__init__"}) > MOST_MODULES:
            crowded[str(folder.relative_to(ROOT))] = len(modules)
    assert not crowded, "give some of these modules a room of their own"


def test_no_file_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for top in (PACKAGE, ROOT / "bench", ROOT / "tests")
        for path in sorted(top.rglob("*"))
        if path.suffix in (*SOURCES, ".js", ".css", ".html", ".c", ".h")
        and "node_modules" not in path.parts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long, "split these"
