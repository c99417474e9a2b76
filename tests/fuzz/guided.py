"""Coverage-guided runs with atheris (libFuzzer), each target in a process of its own.

Atheris sees the branches of Python code only. What compiled code did it is told by a branch for
each of the feed's counters and each type that a decoder counted: an input that makes one of them
move, or move further than any other did, is kept and varied on.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import atheris

with atheris.instrument_imports(include=["ticker"], enable_loader_override=False):
    from tests.fuzz.subject import Subject
    from tests.fuzz.target import REPEATS, Target, all_targets, feed, mutator_of, seeds_of

    TARGETS = all_targets()

STEPS = 8
"""Branches for each thing counted: once, twice, four times, … in one input."""
SLOWED = 4
"""Times its budget that an input may cost here, where every branch of Python code calls atheris.
The budget itself is held by campaign.py, without it."""


def guided(names: Sequence[str], arguments: Sequence[str]) -> int:
    """Run these targets one after another; how many of them failed."""
    return sum(_in_a_child(TARGETS[name], arguments) != 0 for name in names or TARGETS)


def _in_a_child(target: Target, arguments: Sequence[str]) -> int:
    """libFuzzer ends its process, and can run once in one."""
    began = time.monotonic()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _run(target, arguments)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    said = "no input broke the law" if not code else f"FAILED, exit code {code}"
    print(f"{target.name:18} {said}, {time.monotonic() - began:.2f} s", flush=True)
    return code


def _run(target: Target, arguments: Sequence[str]) -> None:
    """Does not return."""
    with TemporaryDirectory(prefix="ticker-fuzz-") as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, seed in enumerate(seeds_of(target)):
            (corpus / f"{number:05}").write_bytes(seed)
        options = [f"-max_len={target.longest}", "-detect_leaks=0", "-len_control=0"]
        options.append(f"-artifact_prefix={folder}/")
        atheris.Setup(
            [sys.argv[0], *options, *arguments, str(corpus)],
            _Judge(target),
            custom_mutator=_mutator(target),
        )
        atheris.Fuzz()


class _Judge:
    """One input: events or the declared error, in time; an unraisable error is one too."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.left = 0
        self.told = _Branches()
        self.ignored: list[Any] = []
        sys.unraisablehook = self.ignored.append

    def __call__(self, data: bytes) -> None:
        if not self.left:
            self.subject = self.target.start()
            self.left = self.target.per_subject
            self.told.forget()
        self.left -= 1
        took = self._time(data)
        if self.ignored:
            raise AssertionError(f"{self.target.name}: {self.ignored[0]!r}, input {data.hex()}")
        budget = SLOWED * self.target.budget_ns
        if took > budget:
            took = min(self._time(data) for _ in range(REPEATS))
            assert took <= budget, f"took {took / 1e6:.2f} ms, input {data.hex()}"
        subject: object = self.subject
        if isinstance(subject, Subject):
            self.told(subject)

    def _time(self, data: bytes) -> int:
        try:
            return feed(self.subject, self.target, data)[0]
        except Exception:
            print(f"python -m tests.fuzz --target {self.target.name} --input {data.hex()}")
            raise


class _Branches:
    """A function for each thing that can be counted, which atheris takes for a branch."""

    def __init__(self) -> None:
        self.branches: dict[tuple[object, int], Callable[[], None]] = {}
        self.before: dict[object, int] = {}

    def forget(self) -> None:
        self.before = {}

    def __call__(self, subject: Subject) -> None:
        now: dict[object, int] = dict(subject.counters.as_dict().items())
        now.update(getattr(subject.protocol, "message_counts", {}))
        for name, value in now.items():
            more = value - self.before.get(name, 0)
            if more > 0:
                self._branch(name, min(more.bit_length(), STEPS))()
        self.before = now

    def _branch(self, name: object, step: int) -> Callable[[], None]:
        if (name, step) not in self.branches:
            # A code object of its own: atheris counts by code, not by function.
            space: dict[str, Any] = {}
            exec(f"def reached():\n    return {len(self.branches)}", space)
            self.branches[name, step] = atheris.instrument_func(space["reached"])
        return self.branches[name, step]


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    """libFuzzer's own mutations, and as often ours (mutate.py), of the input at hand."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        if seed & 1:
            return bytes(atheris.Mutate(data, most))
        mutator = mutator_of(target, random.Random(seed), corpus=(data,))
        return mutator.next()[:most]

    return mutate
