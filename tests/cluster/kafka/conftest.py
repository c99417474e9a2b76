"""A real broker for the tests of a module: it takes seconds to start, so they share it. Each test
has a cluster of its own name, and so topics of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.kafka.server import MISSING, THERE, Kafka
from tests.cluster.servers import running

Require = Callable[[object, str], None]


@pytest.fixture(scope="module")
def kafka(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    require(THERE, MISSING)
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    with running(broker):
        yield broker
