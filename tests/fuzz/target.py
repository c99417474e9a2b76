"""The contract of a fuzz target, and the search for targets.

Law: a target takes any bytes. It returns, or raises one of the errors that it declares; any
other error (also inside a `noexcept` call, and what its own checks assert) is a bug.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

from tests.fuzz import targets
from tests.fuzz.mutate import Mutator

Run = Callable[[bytes], object]
"""Takes an input. A generator is run to its end, and timed from one `yield` to the next: a file is
read block by block, and its reader sees to other things between two of them."""
BUDGET_NS = 5_000_000
"""CPU time that one input may cost."""
REPEATS = 10
"""How often one that cost more is fed again, at most, before it is believed: a busy machine's
caches and a virtual one's stolen time are in it too."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser, decoder or session.

    `start` makes a fresh subject and returns what feeds it; `per_subject` inputs go to one
    subject before the next is made, so that inputs also meet what others left behind.
    """

    name: str
    covers: tuple[str, ...]
    """The modules that it is for."""
    start: Callable[[], Run]
    seeds: Callable[[], list[bytes]]
    errors: tuple[type[Exception], ...] = ()
    per_subject: int = 1
    longest: int = 4096
    """Bytes of an input, at most."""
    tokens: tuple[bytes, ...] = ()
    """Words of its language, for the mutator."""
    vary: Callable[[random.Random], bytes] | None = None
    """Makes an input of the language itself, where bytes changed at random seldom are."""
    repair: Callable[[bytes], bytes] | None = None
    """Makes lengths and checksums right again, so that a mutation gets past them."""
    budget_ns: int = BUDGET_NS


def all_targets() -> dict[str, Target]:
    """Every target of tests/fuzz/targets/, by name."""
    found: dict[str, Target] = {}
    for module in pkgutil.iter_modules(targets.__path__):
        for target in importlib.import_module(f"{targets.__name__}.{module.name}").TARGETS:
            if target.name in found:
                raise ValueError(f"two targets are called {target.name!r}")
            found[target.name] = target
    return found


def feed(run: Run, target: Target, data: bytes) -> tuple[int, bool]:
    """One input; returns if it gave events or a declared error: the CPU time of its slowest step
    in ns, and whether it was refused."""
    clock = time.thread_time_ns
    slowest, began = 0, clock()
    try:
        steps = run(data)
        if isinstance(steps, Generator):
            for _ in steps:
                slowest = max(slowest, clock() - began)
                began = clock()
    except target.errors:
        return max(slowest, clock() - began), True
    return max(slowest, clock() - began), False


def seeds_of(target: Target) -> list[bytes]:
    """The seeds that fit, each once, in a fixed order."""
    found: Iterable[bytes] = (seed[: target.longest] for seed in target.seeds())
    return sorted(set(found) | {b""})


def mutator_of(target: Target, seed: int | random.Random, corpus: Sequence[bytes] = ()) -> Mutator:
    """Mutated inputs for a target, of its seeds or of a corpus."""
    return Mutator(
        corpus or seeds_of(target),
        seed,
        longest=target.longest,
        tokens=target.tokens,
        repair=target.repair,
        vary=target.vary,
    )
