"""Varies JSON documents where it counts: values replaced, left out, repeated, moved."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, 1e-9, 1e308, 2**63, 2**64, -(2**63), 10**30, "", "0", "-1",
    "178.52", "1e400", "2026-01-02T14:30:00Z", "BTC-USD", "A" * 23, "A" * 24, "é", "\0", "\ud800",
    [], {}, [[]], [{}], "bid", "snapshot", "update", 253402300800000, "0.0000000001", "__proto__",
)  # fmt: skip
DEEP = 32
"""Texts with so many brackets in a row are left to the mutator of bytes."""
NAMES = ("p", "t", "sym", "S", "price", "time", "symbols", "symbol", "id", "action", "")


def varied(texts: Callable[[], Iterable[bytes]]) -> Callable[[random.Random], bytes]:
    """What makes inputs of those of the texts that are JSON."""

    @cache
    def documents() -> tuple[Any, ...]:
        found = []
        for text in texts():
            with contextlib.suppress(ValueError):
                found += [json.loads(text)] if b"[" * DEEP not in text else []
        return tuple(found)

    def vary(chance: random.Random) -> bytes:
        value = [copy.deepcopy(chance.choice(documents()))]
        for _ in range(chance.randint(1, 4)):
            _change(value, chance)
        return json.dumps(
            value[0] if value else None, indent=chance.choice((None, None, 1))
        ).encode()

    return vary


def _change(value: Any, chance: random.Random) -> None:
    """One change somewhere below `value`."""
    holders = [each for each in _inner(value) if each and each is not value] or [value]
    holder = chance.choice(holders)
    places: Any = list(holder) if isinstance(holder, dict) else range(len(holder))
    place = chance.choice(places) if places else 0
    deed = chance.random()
    if deed < 0.5:
        holder[place] = copy.deepcopy(chance.choice(ODD))
    elif deed < 0.7 and holder is not value:
        del holder[place]
    elif deed < 0.85:
        holder[place] = copy.deepcopy(chance.choice(holders))
    elif isinstance(holder, list):
        holder += copy.deepcopy(holder)[:20]
    else:
        holder[chance.choice(NAMES)] = holder[place]


def _inner(value: Any) -> Iterator[Any]:
    """Every array and object in a value."""
    if isinstance(value, (list, dict)):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _inner(each)
