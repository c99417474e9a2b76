"""A PostgreSQL server for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Require
from tests.store.postgres_server import PostgresServer, programs


@pytest.fixture(scope="session")
def postgres(require: Require) -> Iterator[PostgresServer]:
    """It runs before and after each test."""
    found = programs()
    require(found, "no PostgreSQL server: install Debian's postgresql")
    assert found is not None
    server = PostgresServer(found)
    yield server
    server.close()
