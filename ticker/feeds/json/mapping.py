"""A mapping: where in a vendor's JSON texts symbol, price, size and time are. TOML in, checked.

Files are read by feeds/workers/mappings.py. What the keys mean is in docs/json-mappings.md, their
types are in tables.py, how a path is written in paths.py, what is refused in problems.py;
ticker/feeds/protocols/json.pyx does what they say.
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
    """What a type refuses: its place, what is wrong there, and which key may be meant."""
    what, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".") or "the mapping"
    if unknown := re.search(r"unknown field `(.*)`", what):
        near = difflib.get_close_matches(unknown[1], KEYS, n=1, cutoff=0.6)
        advice = f"did you mean {near[0]}?" if near else "docs/json-mappings.md has all keys"
        what = f"{what}; {advice}"
    return f"{path}: {what[0].lower()}{what[1:]}"
