"""Paths of a mapping: the place of a record or a field in a JSON text.

Paths are names with dots between them, from a record on:

    a.b        member b of member a            a.0        element 0 of the array a
    $.a        from the text's own top         ^.a        from one level further up (^^: two)
    @key       the name that this record (or with ^, an outer one) has in its object
    @request   only of a symbol: the one that the text was asked for (`${symbol}` in the url)
    'a.b'      a name with a dot in it         (empty)    the record itself

and in a record's own `path` also what makes many records out of one text:

    a[]        each element of the array a     a[]?       the same, or a itself if it is no array
    a{}        each member of the object a
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ticker.errors import ConfigError

MAX_STEPS = 8
MAX_SPREADS = 5

KEY, EACH, EACH_OR_SELF, MEMBERS = range(4)
"""The kind of a step."""
ROOT = -1

_STEP = re.compile(r"\.?(?:(\[\]\??)|(\{\})|'([^']+)'|([^.\[\]{}'@^$]+))")
_START = re.compile(r"(\$)|(\^+)")


@dataclass(frozen=True)
class Step:
    """One step of a path; `index` is that of an array's element, -1: `name` is no number."""

    kind: int
    name: str = ""
    index: int = -1


@dataclass(frozen=True)
class Route:
    """A path, read. `up`: how many levels above the record it starts, or ROOT."""

    up: int
    key: bool
    steps: tuple[Step, ...]
    request: bool = False

    @property
    def depth(self) -> int:
        """Levels from the top to a record at this path: one for each [] or {}, and its own."""
        own = bool(self.steps) and self.steps[-1].kind == KEY
        return sum(step.kind != KEY for step in self.steps) + own


def read_path(text: str, *, many: bool = False) -> Route:
    """The steps of a path; `many`: it may make several records from one text.

    Raises:
        ConfigError: the text is not a path.
    """
    if text == "@request":
        return Route(0, False, (), request=True)
    up, key, rest = 0, False, text
    if start := _START.match(rest):
        up = ROOT if start[1] else len(start[2])
        rest = rest[start.end() :]
    if rest == "@key" or rest == ".@key":
        if up == ROOT or many:
            raise ConfigError(f"{text!r}: only a record or an outer one has a @key")
        return Route(up, True, ())
    steps = []
    while rest:
        found = _STEP.match(rest)
        if not found or (found[0][0] == "." and len(rest) == len(text)):
            raise ConfigError(
                f"{text!r}: not a path, like a.b.0 or data[]; see docs/json-mappings.md"
            )
        steps.append(_step(found))
        rest = rest[found.end() :]
    if len(steps) > MAX_STEPS:
        raise ConfigError(f"{text!r}: more than {MAX_STEPS} steps")
    spread = sum(step.kind != KEY for step in steps)
    if spread and not many:
        raise ConfigError(f"{text!r}: [] and {{}} only where records are, not in a field")
    if spread > MAX_SPREADS or (many and up):
        raise ConfigError(f"{text!r}: a record's path starts at the top, with 5 [] or {{}} at most")
    return Route(up, key, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    each, members, quoted, name = found.groups()
    if each:
        return Step(EACH_OR_SELF if each.endswith("?") else EACH)
    if members:
        return Step(MEMBERS)
    if name and name.isascii() and name.isdigit() and len(name) < 10:
        return Step(KEY, name, int(name))
    return Step(KEY, quoted or name)
