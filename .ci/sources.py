"""Lets `make` and Cython see which sources changed: by content, not by time.

    python .ci/sources.py build/sources

The time of a source is when its content changed: one that was moved here, or put back from an
older commit, gets the present time, one that was only touched (a checkout) its former time back.
What was compiled from a source that is gone is removed. The file that is named keeps the digests,
and its own time changes when any source did, came or went.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path

ENDINGS = (".pyx", ".pxd", ".h", ".c")
COMPILED = ("build/cython", "build/cython-debug")
SHARED = "ticker/_cython"
"""Has no source here: Cython writes it (setup.py)."""
BUILT = ("ticker", "build/debug/lib/ticker", "build/asan/lib/ticker")

Seen = dict[str, tuple[str, int]]
"""Path -> digest of the content, and the time in ns that the file has had since."""


def look(tree: Path, before: Seen, now_ns: int) -> Seen:
    """The sources as they are; times that do not tell when a content changed are set. With
    nothing seen before, the times that are there are believed."""
    found: Seen = {}
    for path in sorted((tree / "ticker").rglob("*")):
        if path.suffix not in ENDINGS:
            continue
        name = str(path.relative_to(tree))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known, changed_ns = before.get(name, ("", now_ns))
        if not before:
            changed_ns = path.stat().st_mtime_ns
        elif known != digest:
            changed_ns = now_ns
        if path.stat().st_mtime_ns != changed_ns:
            os.utime(path, ns=(changed_ns, changed_ns))
        found[name] = (digest, changed_ns)
    return found


def remove_orphans(tree: Path, sources: Seen) -> list[Path]:
    """Remove C files and modules whose .pyx is gone; which."""
    modules = {name.removesuffix(".pyx") for name in sources if name.endswith(".pyx")} | {SHARED}
    orphans = [
        path
        for folder in COMPILED
        for path in (tree / folder).rglob("*.c")
        if str(path.relative_to(tree / folder).with_suffix("")) not in modules
        and str(path.relative_to(tree / folder)) not in sources
    ]
    for folder in BUILT:
        top = (tree / folder).parent
        for path in (tree / folder).rglob("*.so"):
            module = path.relative_to(top).with_name(path.name.split(".")[0])
            if str(module) not in modules:
                orphans.append(path)
    for path in orphans:
        path.unlink()
    return orphans


def read(manifest: Path) -> Seen:
    try:
        seen = json.loads(manifest.read_text())
        return {name: (digest, changed_ns) for name, (digest, changed_ns) in seen.items()}
    except (OSError, ValueError):
        return {}


def main(manifest: Path) -> None:
    tree = Path(__file__).resolve().parent.parent
    before = read(manifest)
    found = look(tree, before, time.time_ns())
    remove_orphans(tree, found)
    if found != before:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(json.dumps(found, indent=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
