"""A market that goes on with the rows of a predecessor, and computes the session again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DOLLAR, E9 = 10_000, 1_000_000_000
STALE = 1


def test_a_rebuild_that_brings_nothing_keeps_what_readers_saw(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    first = make_feed()
    first.send(itch.trade(1, 100, 320 * DOLLAR, 1, time=5))
    second = make_feed(first.mapping)
    second.now = first.now
    second.market.adopt_rows(rebuild=True)
    second.market.set_publishing(False)
    assert not second.market.publishing
    second.market.set_publishing(True)
    second.send()
    row = second.row()
    assert (row["price"], row["seq"], row["volume"], row["high"]) == (320 * E9, 1, 100, 320 * E9)
    assert (row["exchange_time"], row["flags"] & STALE) == (5, 1)


@pytest.mark.parametrize(("more", "wanted"), [(0, [2, 4]), (4094, [])])
def test_trades_that_readers_were_not_told_come_after_a_rebuild(
    itch: Any, make_feed: Callable[..., Any], more: int, wanted: list[int]
) -> None:
    """Of these one was broken meanwhile. So many that they would lap the rings are left out."""
    first = make_feed()
    known = itch.trade(1, 100, 321 * DOLLAR, 1, time=5)
    first.send(known)
    second = make_feed(first.mapping)
    second.now = first.now
    second.market.adopt_rows(rebuild=True)
    second.market.set_publishing(False)
    trades = [itch.trade(1, 100 * n, (320 + n) * DOLLAR, n, time=4 + n) for n in (2, 3, 4)]
    later = [itch.trade(1, 100, 324 * DOLLAR, 5 + n, time=10 + n) for n in range(more)]
    second.send(known, *trades[:2], itch.broken(1, 3, time=8), trades[2], *later)
    assert second.records() == []
    second.market.set_publishing(True)
    second.send()
    told = [record for record in second.records() if record["kind"] in (1, 2)]
    names = ("seq", "match", "price", "size", "exchange_time", "kind")
    assert [tuple(record[name] for name in names) for record in told] == [
        (n, n, (320 + n) * E9, 100 * n, 4 + n, 1) for n in wanted
    ]
    assert second.row()["seq"] == 4 + more


def test_what_was_broken_while_nobody_looked_stays_broken(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    first = make_feed()
    messages = [
        itch.trade(1, 9, 320 * DOLLAR, 1, time=5),
        itch.trade(1, 1, 330 * DOLLAR, 2, time=6),
    ]
    first.send(*messages)
    second = make_feed(first.mapping)
    second.now = first.now
    second.market.adopt_rows(rebuild=True)
    second.market.set_publishing(False)
    second.send(*messages, itch.broken(1, 2, time=7))
    second.market.set_publishing(True)
    second.send()
    row = second.row()
    assert (row["price"], row["seq"], row["volume"], row["corrections"]) == (320 * E9, 2, 9, 1)
    assert 5 in {record["kind"] for record in second.records()}
