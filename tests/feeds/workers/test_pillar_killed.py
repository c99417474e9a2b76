"""A Pillar worker asks for what both lines lost, and after a kill for what nobody heard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.feeds.images.streams import Side
from tests.feeds.pillar_venue import Venue
from tests.feeds.worker_process import OF_ALL, Imaged, wait_for


@pytest.fixture
def venue() -> Iterator[Venue]:
    made = Venue()
    yield made
    made.close()


def expected(venue: Venue) -> dict[str, dict[str, int]]:
    """The rows of a worker that heard everything."""
    side = Side(venue.kind)
    side.take(min(venue.reached.values()))
    return {symbol: {name: row[name] for name in OF_ALL} for symbol, row in side.rows().items()}


@pytest.mark.slow
def test_killed_it_has_every_trade(venue: Venue) -> None:
    with ExitStack() as stack:
        feed = Imaged(venue.toml("image_interval = 0.05\nrequest_attempts = 40"))
        stack.callback(feed.close)
        for _ in range(15):
            venue.send(100)
            wait_for(lambda: feed["messages"] >= 3 * venue.reached[0], venue.turn)
        seen = feed.image
        wait_for(lambda: feed.image > seen, venue.go_on)
        wait_for(lambda: feed["messages"] == 3 * venue.reached[0], venue.turn)
        assert feed.shown() == expected(venue)
        feed.kill()
        venue.send(300)
        feed.start(venue.turn)
        wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
        wait_for(lambda: feed.shown() == expected(venue), venue.turn)
        assert feed.log().count("image_of=") == 1
        assert venue.answered >= 900
        assert (feed["lost_messages"], feed["unknown_orders"]) == (0, 0)
        assert venue.heartbeats > 0
