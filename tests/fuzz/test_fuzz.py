"""Every parser, decoder and session takes any bytes: events or its declared error, in time.

The long run of 1M inputs for each is `stress`; CONTRIBUTING.md says how to run one by hand.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.campaign import FuzzError, campaign
from tests.fuzz.mutate import Mutator
from tests.fuzz.target import Target, all_targets, feed, mutator_of, seeds_of
from ticker.errors import DecodeError
from ticker.feeds.json.scalars import decimal
from ticker.feeds.workers.known import modules

TARGETS = all_targets()
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@pytest.mark.parametrize("folder", ["protocols", "sessions"])
def test_every_decoder_and_session_has_a_target(folder: str) -> None:
    covered = {module for target in TARGETS.values() for module in target.covers}
    missing = {f"ticker.feeds.{folder}.{name}" for name in modules(folder)} - covered
    assert not missing, f"no fuzz target in tests/fuzz/targets/ covers {sorted(missing)}"


@every_target
def test_seeds_are_taken_as_they_are(target: Target) -> None:
    seeds = seeds_of(target)
    assert len(seeds) > 3
    run = target.start()
    for seed in seeds:
        feed(run, target, seed)


@pytest.mark.slow
@every_target
def test_any_bytes(target: Target) -> None:
    run = target.start()
    mutator = mutator_of(target, 0)

    def mutated(chance: random.Random) -> bytes:
        mutator.chance = chance
        return mutator.next()

    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300) | st.randoms(use_true_random=True).map(mutated))
    def check(data: bytes) -> None:
        feed(run if target.per_subject > 1 else target.start(), target, data)

    check()


@pytest.mark.slow
@every_target
def test_mutated_inputs(target: Target) -> None:
    outcome = campaign(target, 5_000)
    assert outcome.inputs == 5_000
    assert outcome.refused < 5_000


@pytest.mark.stress
@every_target
def test_a_million_mutated_inputs(target: Target) -> None:
    seed = time.time_ns()
    print(f"seed of the inputs: {seed}")
    outcome = campaign(target, 1_000_000, seed=seed)
    print(outcome.line())
    assert outcome.inputs == 1_000_000


@pytest.mark.slow
def test_coverage_guided_runs(require: Callable[[object, str], None], root: Path) -> None:
    require(
        find_spec("atheris"), "atheris is not installed: pip install -c constraints.txt atheris"
    )
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(root)]))
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--atheris", "all", "--", "-runs=2000", "-seed=1"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-10_000:]
    for name in TARGETS:
        assert f"{name:18} no input broke the law" in run.stdout
    # The kernels guide the run too: their counters are branches, and make the corpus grow.
    assert run.stderr.count("NEW ") > len(TARGETS)


# The runs themselves


def target(run: Callable[[bytes], object], **options: Any) -> Target:
    return Target(
        name="own",
        covers=(),
        start=lambda: run,
        seeds=lambda: [b"12", b"-12.5"],
        errors=(DecodeError,),
        **options,
    )


def test_the_declared_error_is_counted() -> None:
    outcome = campaign(target(lambda data: decimal(data, 0)), 500)
    assert 0 < outcome.refused < outcome.inputs == 500


def test_another_exception_is_a_failure_and_names_its_input() -> None:
    def run(data: bytes) -> None:
        assert not data.startswith(b"-12")

    with pytest.raises(FuzzError, match=r"--target own --input 2d31322e35"):
        campaign(target(run), 500)


def test_what_fails_only_after_others_says_so() -> None:
    def start() -> Callable[[bytes], None]:
        fed: list[bytes] = []

        def run(data: bytes) -> None:
            fed.append(data)
            assert len(fed) < 10

        return run

    subject = Target(
        name="own", covers=(), start=start, seeds=lambda: [b"1"], per_subject=20
    )  # fmt: skip
    with pytest.raises(FuzzError, match=r"only after the 9 inputs before it"):
        campaign(subject, 500)


def test_an_error_that_cannot_be_raised_is_a_failure() -> None:
    class Fragile:
        def __del__(self) -> None:
            raise ValueError("ignored")

    with pytest.raises(FuzzError, match="ignored"):
        campaign(target(lambda _: Fragile() and None), 5)


def test_a_slow_input_is_a_failure_and_a_slow_machine_is_none() -> None:
    def spin(ns: int) -> None:
        end = time.thread_time_ns() + ns
        while time.thread_time_ns() < end:
            pass

    with pytest.raises(FuzzError, match=r"took \d+\.\d+ ms"):
        campaign(target(lambda data: spin(3_000_000 * (data == b"12")), budget_ns=2_000_000), 5)
    once = iter([3_000_000])
    outcome = campaign(target(lambda _: spin(next(once, 0)), budget_ns=2_000_000), 5)
    assert outcome.slowest_ns < 2_000_000


def test_a_seed_gives_the_same_inputs_again() -> None:
    def inputs(seed: int) -> list[bytes]:
        mutator = Mutator([b"one", b"another"], seed, longest=40, tokens=(b"word",))
        return [mutator.next() for _ in range(500)]

    assert inputs(7) == inputs(7) != inputs(8)
    assert len(set(inputs(7))) > 400
    assert max(map(len, inputs(7))) == 40
