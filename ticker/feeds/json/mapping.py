"""A mapping: the places of symbol, price, size and time in a vendor's JSON. TOML in, checked.

feeds/workers/mappings.py reads the files. docs/json-mappings.md explains the keys, tables.py has
their types, paths.py the syntax of paths, and problems.py the checks.
ticker/feeds/protocols/json.pyx decodes by the mapping.
"""

from __future__ import annotations

import difflib
import re
import tomllib

import msgspec

from ticker.errors import ConfigError
from ticker.feeds.json.problems import problems_of
from ticker.feeds.json.tables import KEYS, Mapping, Stream

__all__ = ["Mapping", "Stream", "parse_mapping"]


def parse_mapping(text: str) -> Mapping:
    """The mapping that a TOML text says. Raises ConfigError."""
    try:
        mapping = msgspec.convert(tomllib.loads(text), Mapping, strict=True)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    except RecursionError:
        raise ConfigError("not TOML that can be read: nested too deeply") from None
    except msgspec.ValidationError as error:
        raise ConfigError(_said(str(error))) from None
    problems = list(problems_of(mapping))
    if problems:
        raise ConfigError("; ".join(problems))
    return mapping


def _said(message: str) -> str:
    """The message for a key that its type refuses: its path, the fault, and a likely key."""
    what, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".") or "the mapping"
    if unknown := re.search(r"unknown field `(.*)`", what):
        near = difflib.get_close_matches(unknown[1], KEYS, n=1, cutoff=0.6)
        advice = f"did you mean {near[0]}?" if near else "docs/json-mappings.md has all keys"
        what = f"{what}; {advice}"
    return f"{path}: {what[0].lower()}{what[1:]}"
