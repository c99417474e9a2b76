"""A run of mutated inputs: each gives events or the declared error, in time.

CPU time is the thread's own. An input that took longer than any before it, and a fifth of the
target's budget, is fed again to subjects that have had the same inputs before it: the least of
these times counts, so that what the machine did meanwhile does not.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import Mutator
from tests.fuzz.target import REPEATS, Run, Target, feed, mutator_of, seeds_of


class FuzzError(AssertionError):
    """An input that is neither events nor the declared error, or too slow; how to see it again."""


@dataclass
class Outcome:
    """What a run found. Times in ns of CPU, of each input's slowest step (target.py: Run)."""

    target: str
    inputs: int = 0
    refused: int = 0
    total_ns: int = 0
    slowest_ns: int = 0
    slowest: bytes = b""

    def line(self) -> str:
        """For people."""
        mean = self.total_ns / max(self.inputs, 1) / 1000
        return (
            f"{self.target:18} {self.inputs:9,} inputs, {self.refused:9,} refused by error, "
            f"mean {mean:7.1f} µs, slowest {self.slowest_ns / 1e6:6.3f} ms"
        )


def campaign(target: Target, count: int, seed: int = 1) -> Outcome:
    """Feed `count` mutated inputs, every seed as it is first.

    Raises:
        FuzzError: one of them broke the law; its hex is in the message.
    """
    corpus = seeds_of(target)
    mutator = mutator_of(target, seed)
    outcome = Outcome(target.name)
    left = iter(corpus)
    ignored: list[Any] = []
    hook, sys.unraisablehook = sys.unraisablehook, ignored.append
    gc.freeze()
    try:
        while outcome.inputs < count:
            many = min(target.per_subject, count - outcome.inputs)
            _one_subject(target, many, left, mutator, outcome, ignored, seed)
    finally:
        sys.unraisablehook = hook
        gc.unfreeze()
    return outcome


def _one_subject(
    target: Target, many: int, left: Any, mutator: Mutator, outcome: Outcome, ignored: list[Any],
    seed: int,
) -> None:  # fmt: skip
    """The life of one subject."""
    run = target.start()
    fed: list[bytes] = []
    for _ in range(many):
        data = next(left, None)
        data = mutator.next() if data is None else data
        fed.append(data)
        try:
            took, refused = feed(run, target, data)
        except Exception as error:
            raise FuzzError(_story(target, fed, seed, outcome, repr(error))) from error
        outcome.refused += refused
        if ignored:
            raise FuzzError(_story(target, fed, seed, outcome, repr(ignored[0].exc_value)))
        outcome.inputs += 1
        outcome.total_ns += took
        if took > max(outcome.slowest_ns, target.budget_ns // 5):
            for _ in range(REPEATS):
                took = min(took, _again(target, fed))
                if took <= target.budget_ns // 5:
                    break
            if took > target.budget_ns:
                raise FuzzError(_story(target, fed, seed, outcome, f"took {took / 1e6:.2f} ms"))
        if took > outcome.slowest_ns:
            outcome.slowest_ns, outcome.slowest = took, data


def _again(target: Target, fed: list[bytes]) -> int:
    """CPU time of the last input, after the others, on a fresh subject; garbage is not its."""
    run: Run = target.start()
    for data in fed[:-1]:
        feed(run, target, data)
    gc.collect()
    gc.disable()
    try:
        return feed(run, target, fed[-1])[0]
    finally:
        gc.enable()


def _story(target: Target, fed: list[bytes], seed: int, outcome: Outcome, what: str) -> str:
    """The failure, and the least that shows it again."""
    alone = "alone"
    try:
        feed(target.start(), target, fed[-1])
        alone = f"only after the {len(fed) - 1} inputs before it, on the same subject"
    except Exception:
        pass
    return (
        f"{target.name}: input {outcome.inputs} of seed {seed} ({alone}): {what}\n"
        f"python -m tests.fuzz --target {target.name} --input {_kept(target, fed[-1])}"
    )


def _kept(target: Target, data: bytes) -> str:
    """An input as hex, a long one as the name of a file that has it."""
    if len(data) <= 300:
        return data.hex()
    path = Path(tempfile.gettempdir(), f"ticker-fuzz-{target.name}-{zlib.crc32(data):08x}.bin")
    path.write_bytes(data)
    return f"@{path}"
