"""A PITCH worker that is killed has all trades, though some were made while nobody ran."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.feeds.cboe_live import Exchange
from tests.feeds.worker_process import Imaged, wait_for
from ticker.feeds.images.places import places_path


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with ExitStack() as stack:
        yield Exchange(stack)


def both(exchange: Exchange, *options: str, more: str) -> tuple[Imaged, Imaged]:
    """A worker that hears it all, and one to be killed, before the exchange speaks."""
    first = exchange.worker(patience=5, kind=Imaged, more="image_interval = 0\n")
    second = exchange.worker(*options, kind=Imaged, more=more)
    assert isinstance(first, Imaged)
    assert isinstance(second, Imaged)
    return first, second


@pytest.mark.slow
def test_killed_it_has_every_trade(exchange: Exchange) -> None:
    whole, feed = both(exchange, more="image_interval = 0.2\nrequest_attempts = 40\n")
    exchange.speak("--duration", "2.5", "--linger", "1")
    wait_for(lambda: feed.image > 0, exchange.check)
    seen = feed.image
    wait_for(lambda: feed.image > seen, exchange.check)
    feed.kill()
    told, trades = feed["trades"], whole["trades"]
    wait_for(lambda: whole["trades"] > trades + 30)
    feed.start()
    started = time.monotonic()
    wait_for(lambda: feed.log().count("feed live") == 2)
    assert time.monotonic() - started < 2
    assert feed["trades"] > told
    assert feed.log().count("image_of=") == 1
    wait_for(lambda: whole.heartbeat.state == "ended" and feed.heartbeat.state == "ended")
    assert whole["lost_messages"] == feed["lost_messages"] == 0
    assert feed.shown() == whole.shown()
    assert feed["unknown_orders"] == 0
    assert places_path(feed.folder, feed.name).stat().st_size == 4096


@pytest.mark.stress
def test_a_proxy_that_gives_no_more_leaves_the_book_to_the_spin_server(exchange: Exchange) -> None:
    """Nobody answers at the proxy's address: trades are lost, books are not."""
    spins = exchange.spins()
    whole = exchange.worker(patience=5)
    exchange.gap_proxy, there = "127.0.0.1:9", exchange.gap_proxy
    feed = exchange.worker(spins, kind=Imaged, more="image_interval = 0.2\n")
    assert isinstance(feed, Imaged)
    exchange.gap_proxy = there
    exchange.speak("--duration", "5", "--linger", "4")
    wait_for(lambda: feed.image > 0)
    feed.kill()
    trades = whole["trades"]
    wait_for(lambda: whole["trades"] > trades + 30)
    feed.start()
    wait_for(lambda: feed.log().count("feed live") == 2)
    assert feed.log().count("image_of=") == 1
    wait_for(lambda: whole.heartbeat.state == "ended" and feed.heartbeat.state == "ended")
    assert feed["lost_messages"] > 0
    book = ("bid", "bid_size", "ask", "ask_size", "status")
    wait_for(
        lambda: (
            [[row[name] for name in book] for row in feed.rows().values()]
            == [[row[name] for name in book] for row in whole.rows().values()]
        )
    )
