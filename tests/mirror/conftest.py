"""A real Redis, for tests that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.servers import running
from tests.mirror.redis_servers import REDIS, RedisProgram

Require = Callable[[object, str], None]


@pytest.fixture
def redis(require: Require, tmp_path: Path) -> Iterator[RedisProgram]:
    require(REDIS, "redis-server is not installed: apt-get install redis-server")
    server = RedisProgram(tmp_path)
    with running(server):
        yield server
