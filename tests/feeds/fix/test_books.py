"""Books by place (1023, 290): what a place means follows from what was there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.fix.market_data import UNIT, Feed

PLACE = pytest.mark.parametrize("tag", [290, 1023])


def snapshot(tag: int, *bids: tuple[float, int], asks: tuple[tuple[float, int], ...] = ()) -> str:
    entries = [
        f"269={kind}|270={price}|271={size}|{tag}={place}"
        for kind, levels in ((0, bids), (1, asks))
        for place, (price, size) in enumerate(levels, 1)
    ]
    return "|".join([f"W|55=S|268={len(entries)}", *entries])


def change(tag: int, action: int, place: int, rest: str = "", kind: int = 0) -> str:
    return f"X|268=1|279={action}|269={kind}|55=S|{tag}={place}" + (f"|{rest}" if rest else "")


@PLACE
def test_a_delete_by_place_lets_the_deeper_ones_up(tag: int) -> None:
    feed = Feed()
    feed.send(snapshot(tag, (10, 1), (9, 2), (8, 3), asks=((11, 4), (12, 5))))
    feed.send(change(tag, 2, 1))
    assert feed.bids() == [(9, 2), (8, 3)]
    feed.send(change(tag, 2, 2))
    assert feed.bids() == [(9, 2)]
    feed.send(change(tag, 2, 1, kind=1))
    assert feed.top() == (9 * UNIT, 2, 12 * UNIT, 5)
    assert (feed.doubted(), feed.counter("unknown_orders")) == (False, 0)


@PLACE
def test_a_new_level_pushes_the_deeper_ones_down(tag: int) -> None:
    feed = Feed(depth=3)
    feed.send(snapshot(tag, (10, 1), (9, 2), (8, 3)))
    feed.send(change(tag, 0, 2, "270=9.5|271=7"))
    assert feed.bids() == [(10, 1), (9.5, 7), (9, 2)], "what falls out of the depth is gone"
    feed.send(change(tag, 2, 1))
    feed.send(change(tag, 0, 3, "270=8.5|271=4"))
    assert feed.bids() == [(9.5, 7), (9, 2), (8.5, 4)]


@PLACE
def test_a_change_of_a_place(tag: int) -> None:
    feed = Feed()
    feed.send(snapshot(tag, (10, 1), (9, 2), (8, 3)))
    feed.send(change(tag, 1, 2, "271=20"))
    feed.send(change(tag, 1, 1, "270=10.5|271=5"))
    feed.send(change(tag, 1, 3, "270=8|271=30"))
    assert feed.bids() == [(10.5, 5), (9, 20), (8, 30)]
    feed.send(change(tag, 1, 2, "271=0"))
    assert feed.bids() == [(10.5, 5), (8, 30)]
    assert not feed.doubted()


def test_a_venue_that_says_every_place_anew() -> None:
    """Without a word about what fell out."""
    feed = Feed()
    feed.send(snapshot(290, (10, 1), (9, 2), (8, 3)))
    for place, level in enumerate(["270=10.5|271=5", "270=10|271=1", "270=9|271=2"], 1):
        feed.send(change(290, 1, place, level))
    assert feed.bids() == [(10.5, 5), (10, 1), (9, 2)]


def test_a_level_shows_that_others_are_not_there_any_more() -> None:
    """The venue has five levels, and does not say which one fell out."""
    feed = Feed()
    feed.send(snapshot(1023, (10, 1), (9, 1), (8, 1), (7, 1), (6, 1)))
    feed.send(change(1023, 0, 1, "270=11|271=1"))
    feed.send(change(1023, 2, 1))
    feed.send(change(1023, 0, 5, "270=5|271=1"))
    assert feed.bids() == [(10, 1), (9, 1), (8, 1), (7, 1), (5, 1)], "6 was cancelled unseen"
    assert not feed.doubted()


@PLACE
@pytest.mark.parametrize(
    ("action", "place", "rest"),
    [(2, 3, ""), (1, 3, "271=5"), (0, 1, "271=5"), (0, 4, "270=5|271=5"), (1, 9, "270=5|271=1")],
)
def test_what_does_not_fit_puts_the_book_in_doubt(
    tag: int, action: int, place: int, rest: str
) -> None:
    feed = Feed()
    feed.send(snapshot(tag, (10, 1), (9, 2)))
    assert not feed.doubted()
    feed.send(change(tag, action, place, rest))
    assert feed.doubted()
    assert feed.top()[:2] == (10 * UNIT, 1)


def test_a_delete_that_says_neither_price_nor_place_nor_id() -> None:
    feed = Feed()
    feed.send("W|55=S|268=1|269=0|270=10|271=5")
    feed.send("X|268=1|279=2|269=0|55=S")
    assert feed.doubted()
    assert feed.counter("unknown_orders") == 1


def test_a_place_in_a_book_by_level_is_that_of_the_level() -> None:
    feed = Feed()
    feed.send("W|55=S|268=2|269=0|270=10|271=5|269=0|270=9|271=6")
    feed.send("X|268=1|279=2|269=0|55=S|290=1")
    assert feed.bids() == [(9, 6)]


def test_a_price_says_better_than_a_place_which_level_is_deleted() -> None:
    feed = Feed()
    feed.send(snapshot(1023, (10, 1), (9, 2), (8, 3)))
    feed.send(change(1023, 2, 1, "270=9"))
    assert feed.bids() == [(10, 1), (8, 3)]


def test_several_entries_of_a_price_are_one_level_whose_places_mean_nothing() -> None:
    feed = Feed()
    feed.send(snapshot(290, (10, 1), (10, 2), (9, 3)))
    assert feed.bids() == [(10, 3), (9, 3)]
    feed.send(change(290, 2, 2))
    assert feed.doubted()
    assert feed.bids() == [(10, 3), (9, 3)]
    feed.send(snapshot(290, (10, 1), (9, 3)))
    feed.send(change(290, 2, 2))
    assert feed.bids() == [(10, 1)]


def test_ids_go_before_places() -> None:
    feed = Feed()
    feed.send("W|55=S|268=2|269=0|270=10|271=5|278=A|290=1|269=0|270=9|271=7|278=B|290=2")
    feed.send("X|268=1|279=2|278=A|55=S|290=2")
    assert feed.bids() == [(9, 7)]


def test_a_level_goes_before_an_entrys_own_place() -> None:
    feed = Feed()
    feed.send(snapshot(1023, (10, 1), (9, 2), (8, 3)))
    feed.send("X|268=1|279=2|269=0|55=S|290=7|1023=2")
    feed.send("X|268=1|279=2|269=0|55=S|1023=2|290=7")
    assert feed.bids() == [(10, 1)]


@pytest.mark.parametrize("value", ["0", "x", "", "-1", "100001"])
def test_what_is_no_place(value: str) -> None:
    feed = Feed()
    feed.send(snapshot(1023, (10, 1)))
    feed.send(f"X|268=1|279=2|269=0|55=S|1023={value}")
    assert feed.counter("bad_records") == 1
    assert feed.bids() == [(10, 1)]


@settings(max_examples=300)
@given(st.data(), st.sampled_from([290, 1023]), st.integers(0, 1), st.integers(2, 6))
def test_any_day_of_a_venue_with_a_depth(
    data: st.DataObject, tag: int, kind: int, depth: int
) -> None:
    """The venue has a whole book, and tells of its `depth` best levels by place: we have them."""
    feed = Feed(depth=depth)
    sign = -1 if kind else 1
    book = {100 + 10 * step: 1 for step in range(data.draw(st.integers(0, 8)))}

    def visible() -> list[int]:
        return sorted(book, key=lambda price: -sign * price)[:depth]

    said = visible()
    entries = [f"269={kind}|270={p}|271={book[p]}|{tag}={n}" for n, p in enumerate(said, 1)]
    feed.send("|".join([f"W|55=S|268={len(entries)}", *entries]))
    for size in range(2, data.draw(st.integers(2, 25))):
        price = data.draw(st.integers(1, 20)) * 10
        if price in book and data.draw(st.booleans()):
            del book[price]
        else:
            book[price] = size
        now = visible()
        if price in said and price not in now:
            feed.send(change(tag, 2, said.index(price) + 1, kind=kind))
            if len(now) == depth:
                last = f"270={now[-1]}|271={book[now[-1]]}"
                feed.send(change(tag, 0, depth, last, kind))
        elif price in now and price not in said:
            feed.send(change(tag, 0, now.index(price) + 1, f"270={price}|271={size}", kind))
        elif price in now:
            feed.send(change(tag, 1, now.index(price) + 1, f"271={size}", kind))
        said = now
        levels = feed.asks() if kind else feed.bids()
        assert levels == [(p, book[p]) for p in now]
    assert not feed.doubted()
