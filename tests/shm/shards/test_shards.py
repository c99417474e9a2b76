"""Shards of the bus: where a symbol belongs, and how many watch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import SegmentError
from ticker.shm.segment import Geometry, private_feed, private_gateway
from ticker.shm.shards.sharding import MOST, Sharding
from ticker.shm.shards.watchers import WatchedShards, WatcherCounts

SYMBOL = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ.0123456789", min_size=1, max_size=23)


@given(st.lists(SYMBOL, unique=True, max_size=80), st.lists(SYMBOL), st.integers(1, 300))
def test_pinned_symbols_have_a_shard_each_and_move_no_other(
    pinned: list[str], others: list[str], shards: int
) -> None:
    sharding, plain = Sharding(shards, tuple(pinned)), Sharding(shards)
    assert sharding.count == shards + len(pinned)
    assert [sharding.number(symbol) for symbol in pinned] == list(range(shards, sharding.count))
    for symbol in set(others) - set(pinned):
        assert sharding.number(symbol) == plain.number(symbol) < shards


def test_the_hash_is_that_of_every_version() -> None:
    assert [Sharding(256).number(each) for each in ("AAPL", "MSFT", "BRK.A")] == [
        Sharding(256, ("X",)).number(each) for each in ("AAPL", "MSFT", "BRK.A")
    ]


def test_too_many_and_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        Sharding(4, tuple(f"S{n}" for n in range(MOST + 1)))
    with pytest.raises(ValueError, match="none twice"):
        Sharding(4, ("A", "A"))


def test_only_a_gateways_own_segment_has_counts() -> None:
    feed = private_feed(Geometry(rows=4, rings=1, ring_capacity=4), 1, 1)
    with pytest.raises(SegmentError, match="not a gateway's"):
        WatcherCounts(feed, Sharding(8), str)
    with pytest.raises(SegmentError, match="not a gateway's"):
        WatchedShards([feed], 8)


def test_nobody_watches_at_first_and_a_successor_forgets() -> None:
    gateway = private_gateway(1)
    watched = WatchedShards([gateway, private_gateway(1)], 8)
    assert watched.changed()
    assert watched.read() == [0] * 8
    assert not watched.changed()
    WatcherCounts(gateway, Sharding(8), str)
    assert watched.changed(), "a new worker counts anew"
    assert watched.read() == [0] * 8
