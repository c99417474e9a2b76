"""The protocols, sessions and mappings that a configuration may name, found by their files.

Law: nothing is imported, so that a configuration is checked in milliseconds.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from ticker.config import FeedConfig, from_bus, is_file_name

FEEDS = Path(__file__).resolve().parent.parent
MAPPINGS = FEEDS / "mappings"


def modules(folder: str) -> list[str]:
    """The names of the modules in ticker/feeds/<folder>."""
    paths = (FEEDS / folder).iterdir()
    names = {path.name.split(".")[0] for path in paths if path.suffix in (".py", ".pyx", ".so")}
    return sorted(names - {"__init__"})


def mappings() -> list[str]:
    """The names of the mappings that come with ticker."""
    return sorted(path.stem for path in MAPPINGS.glob("*.toml"))


def name_problems(feed: FeedConfig) -> Iterator[str]:
    """A message for each unknown name in a feed: the key, and a name that works."""
    if from_bus(feed):
        return
    if is_file_name(feed.protocol):
        if not Path(feed.protocol).is_file():
            yield f"protocol: {_no_file(Path(feed.protocol))}"
    else:
        yield from _unknown("protocol", feed.protocol, modules("protocols"))
    if feed.session is not None:
        yield from _unknown("session", feed.session, modules("sessions"))
    if feed.mapping is None:
        return
    if feed.mapping.endswith(".toml"):
        if not Path(feed.mapping).is_file():
            shipped = ", ".join(mappings())
            yield f"mapping: {_no_file(Path(feed.mapping))}; shipped with ticker: {shipped}"
        return
    for problem in _unknown("mapping", feed.mapping, mappings()):
        yield f"{problem}; or name a .toml file"


def advice(name: str, known: list[str]) -> str:
    """A suggestion in place of an unknown name."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _no_file(path: Path) -> str:
    """Says that a file is missing, and where one of its name is if the working directory has it."""
    tails = (Path(*path.parts[-length:]) for length in range(len(path.parts) - 1, 0, -1))
    here = next((tail for tail in tails if tail.is_file()), None)
    missing = f"no file {path}; it is looked for beside the configuration"
    if here is None:
        return missing
    return (
        f"{missing}, and {here.absolute()} is only beside the working directory: move it, or name "
        "its whole path"
    )


def _unknown(key: str, name: str, known: list[str]) -> Iterator[str]:
    if name not in known:
        yield f"{key}: no {key} {name!r}, {advice(name, known)}"
