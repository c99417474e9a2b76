"""Fixtures of the tests of the market."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.feeds.market.ruled import Ruled
from ticker.config.filter import FilterConfig


@pytest.fixture(scope="session")
def ruled(make_feed: Callable[..., Any]) -> Callable[..., Ruled]:
    """`ruled(**rules)`: a market with rules, those of the clock off unless they are named."""
    return lambda **rules: Ruled(make_feed(rules=FilterConfig(**{"max_ahead": 0, **rules})))
