"""A venue of ITCH over real sockets, and workers that it feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.feeds.itch_venue import Served, Venue


@pytest.fixture
def venue() -> Iterator[Venue]:
    made = Venue(6000)
    yield made
    made.close()


@pytest.fixture
def serve(venue: Venue) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def make(**settings: object) -> Served:
        made.append(Served(venue, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()
