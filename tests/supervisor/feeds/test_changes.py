"""Feeds that come, go and change: what a reload does about each."""

from __future__ import annotations

import msgspec

from ticker.config import FeedConfig, SimulatorConfig
from ticker.supervisor.feeds.changes import feed_changes


def feed(name: str, **keys: object) -> FeedConfig:
    return msgspec.structs.replace(
        FeedConfig(name=name, protocol="itch50", venue="XNAS"),
        **keys,
    )


def test_nothing_changes() -> None:
    feeds = (feed("a"), feed("b", symbols=("X",)))
    found = feed_changes(feeds, feeds)
    assert found.feeds == feeds
    assert not (found.added or found.changed or found.removed or found.now or found.waits)


def test_feeds_come_and_go_in_the_order_of_the_file() -> None:
    a, b, c = feed("a"), feed("b"), feed("c")
    found = feed_changes((a, b), (c, a))
    assert found.feeds == (c, a)
    assert (found.added, found.changed, found.removed) == ((c,), (), ("b",))
    assert found.now == ("feed c (added)", "feed b (removed)")


def test_a_changed_feed_gets_a_new_worker() -> None:
    simulated = feed("a", symbols=("X", "Y"), simulator=SimulatorConfig(rate=1))
    new = msgspec.structs.replace(simulated, symbols=("X",), simulator=SimulatorConfig(rate=2))
    found = feed_changes((simulated,), (new,))
    assert found.changed == (new,)
    assert found.now == ("feeds.a.symbols", "feeds.a.simulator")


def test_the_size_of_a_segment_waits() -> None:
    old = feed("a", rows=64)
    found = feed_changes((old,), (feed("a", rows=128, quiet_after=5.0),))
    assert found.waits == ("feeds.a.rows",)
    assert found.now == ("feeds.a.quiet_after",)
    assert found.changed == (feed("a", rows=64, quiet_after=5.0),), "with the size that it has"
    assert feed_changes((old,), (feed("a", rows=128),)).changed == ()


def test_what_only_gateways_read_leaves_the_worker() -> None:
    found = feed_changes((feed("a"),), (feed("a", required=False),))
    assert found.changed == ()
    assert found.now == ("feeds.a.required",)
    assert found.feeds[0].required is False
