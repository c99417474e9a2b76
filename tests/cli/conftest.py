"""Messages for captures that the commands read."""

from __future__ import annotations

import pytest

from tests.feeds.conftest import Itch


@pytest.fixture(scope="session")
def itch() -> Itch:
    return Itch()
