"""An exchange whose books are watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.books.exchange import Exchange


@pytest.fixture
def exchange(rig: Any) -> Iterator[Exchange]:
    made = Exchange(rig)
    yield made
    made.close()
