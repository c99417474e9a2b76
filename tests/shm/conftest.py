"""Segments of a test's own: named by process and test, removed also when it fails."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from ticker.shm import segment
from ticker.shm.header import KIND_GATEWAY, Mapping

_numbers = itertools.count()
BOOT = 77


@pytest.fixture
def name() -> Iterator[str]:
    """A segment name that nobody else has; unlinked at the end."""
    made = segment.feed_name("test", f"{os.getpid()}-{next(_numbers)}")
    yield made
    segment.remove(made)


@pytest.fixture
def feed(name: str) -> Mapping:
    """A writable feed segment of 8 rows and two rings of 4 records, boot id 77."""
    return segment.create_feed(name, segment.Geometry(8, 2, 4), BOOT, 1)


@pytest.fixture
def gateway_name() -> Iterator[str]:
    made = segment.gateway_name(f"test{os.getpid()}", next(_numbers))
    yield made
    segment.remove(made)


@pytest.fixture
def gateway(gateway_name: str) -> Mapping:
    """A writable gateway segment."""
    return segment.create_worker(gateway_name, KIND_GATEWAY, BOOT, 1)


@pytest.fixture
def in_child() -> Callable[[Callable[[], object]], int]:
    """Run something in a forked process; its wait status as a return code (-signal)."""

    def run(work: Callable[[], object]) -> int:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return run
