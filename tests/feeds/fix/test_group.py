"""A message with a group that breaks the standard is refused whole: none of it counts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.fix.market_data import UNIT, Feed
from ticker.feeds.fix.dictionary import (
    GROUP_COUNT,
    INCORRECT_FORMAT,
    INVALID_TAG,
    OTHER,
    REPEATED,
    REQUIRED_MISSING,
)

BOOK = "W|55=S|268=3|269=0|270=10|271=5|269=1|270=11|271=6|269=2|270=10.5|271=1"
GOOD = "279=0|269=2|55=S|270=20|271=9"

REFUSED = {
    "kind before action": (f"X|268=2|{GOOD}|269=0|279=0|55=S|270=10.1|271=3", REPEATED, 269),
    "kind first": ("X|268=1|269=0|279=0|55=S|270=10.1|271=3", GROUP_COUNT, 268),
    "symbol first": ("X|268=1|55=S|279=0|269=0|270=10.1|271=3", GROUP_COUNT, 268),
    "no action": ("X|268=1|269=0|55=S|270=10.1|271=3", GROUP_COUNT, 268),
    "price first in W": ("W|55=S|268=1|270=10.1|269=0|271=3", GROUP_COUNT, 268),
    "entry ahead of the group": ("W|55=S|269=0|270=9|268=1|269=1|270=12|271=1", GROUP_COUNT, 268),
    "fewer entries": (f"X|268=2|{GOOD}", GROUP_COUNT, 268),
    "more entries": (f"X|268=1|{GOOD}|{GOOD}", GROUP_COUNT, 268),
    "entries of none": ("W|55=S|268=0|269=0|270=9|271=1", GROUP_COUNT, 268),
    "two prices": (f"X|268=2|{GOOD}|279=0|269=0|55=S|270=9|270=9.5|271=1", REPEATED, 270),
    "two sizes": ("X|268=1|279=0|269=0|55=S|270=9|271=1|271=2", REPEATED, 271),
    "two symbols": ("X|268=1|279=0|269=2|55=S|55=T|270=9|271=1", REPEATED, 55),
    "two ids": ("X|268=1|279=0|269=2|278=1|55=S|278=2|270=9|271=1", REPEATED, 278),
    "two texts": (f"X|268=1|{GOOD}|58=a|58=b", REPEATED, 58),
    "two of a tag that nobody knows": (f"X|268=1|{GOOD}|4321=a|4321=b", REPEATED, 4321),
    "two symbols of a message": ("W|55=S|55=T|268=1|269=0|270=9|271=1", REPEATED, 55),
    "two groups": (f"X|268=1|{GOOD}|268=1|{GOOD}", REPEATED, 268),
    "two prices around a group": (
        "X|268=1|279=0|269=0|55=S|270=9|454=1|455=x|456=4|270=9.5|271=1", REPEATED, 270,
    ),
    "no group": ("W|55=S", REQUIRED_MISSING, 268),
    "a count that is none": ("W|55=S|268=x|269=0|270=9|271=1", INCORRECT_FORMAT, 268),
    "an empty count": ("W|55=S|268=|269=0|270=9|271=1", INCORRECT_FORMAT, 268),
    "what is no field": (f"X|268=2|{GOOD}|279=0|garbled", INVALID_TAG, 0),
    "too many fields": (
        f"X|268=1|{GOOD}|" + "|".join(f"{tag}=1" for tag in range(600, 900)), OTHER, 851,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "tag"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_whole(text: str, reason: int, tag: int) -> None:
    feed = Feed()
    feed.send(BOOK)
    before = feed.row()
    assert (before["price"], before["bid"], before["ask"]) == (10.5 * UNIT, 10 * UNIT, 11 * UNIT)
    feed.send(text)
    assert feed.row() == before
    assert feed.symbols == ["S"]
    assert (feed.counter("refused_messages"), feed.counter("bad_records")) == (1, 1)
    group = feed.decoder.group
    assert (group.refused, group.reason, group.tag) == (True, reason, tag)
    assert feed.doubted(), "what it would have changed is not known"


TAKEN = {
    "an alternative id twice": "454=2|455=a|456=4|455=b|456=1",
    "legs": "555=2|600=A|623=1|600=B|623=1|687=3|687=4",
    "a group in a group": "711=1|311=U|457=2|458=a|459=4|458=b|459=1",
    "a user's tag twice": "9063=x|9063=y",
    "large tags with the same low bits": "1279=x|2303=y|3327=z|5375=a|6399=b",
    "the small tag of the same bits": "1293=x|2317=y",
}


@pytest.mark.parametrize("fields", TAKEN.values(), ids=TAKEN)
def test_what_may_be_there_twice(fields: str) -> None:
    feed = Feed()
    feed.send(f"X|268=2|{GOOD}|{fields}|279=0|269=0|55=S|270=9|271=1|{fields}")
    assert not feed.decoder.group.refused
    assert (feed.row()["price"], feed.row()["bid"]) == (20 * UNIT, 9 * UNIT)
    assert feed.counter("bad_records") == 0


def test_a_refused_message_says_nothing_of_the_next() -> None:
    feed = Feed()
    feed.send("W|55=S")
    feed.send("8|55=S|55=S")
    assert not feed.decoder.group.refused
    feed.send(BOOK)
    assert not feed.decoder.group.refused
    assert feed.top() == (10 * UNIT, 5, 11 * UNIT, 6)


def test_a_bad_entry_is_refused_alone() -> None:
    feed = Feed()
    feed.send("X|268=2|279=0|269=2|55=S|270=1e3|271=1|279=0|269=2|55=S|270=9|271=1")
    assert feed.row()["price"] == 9 * UNIT
    assert (feed.counter("refused_messages"), feed.counter("bad_records")) == (0, 1)


def test_the_symbol_of_a_snapshot_may_come_behind_its_entries() -> None:
    feed = Feed()
    feed.send("W|268=2|269=0|270=10|271=5|269=1|270=11|271=6|55=S")
    assert feed.top() == (10 * UNIT, 5, 11 * UNIT, 6)


VALUES = {
    279: ["0", "1", "2"],
    269: ["0", "1", "2", "q", "J"],
    55: ["S", "T"],
    270: ["10", "10.5"],
    271: ["3", "0"],
    278: ["a", "b"],
    290: ["1", "2"],
}


@settings(max_examples=300)
@given(
    st.sampled_from("WX"),
    st.lists(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=8), max_size=5),
    st.integers(-1, 1),
    st.randoms(use_true_random=False),
)
def test_a_message_counts_whole_or_not_at_all(
    kind: str, entries: list[list[int]], off: int, chance: random.Random
) -> None:
    """Whether it may count is read again here, from the rules of the standard."""
    first = 269 if kind == "W" else 279
    fields = [(tag, chance.choice(VALUES[tag])) for entry in entries for tag in entry]
    count = sum(tag == first for tag, _ in fields) + off
    parts: list[list[int]] = []
    for tag, _ in fields:
        if tag == first or not parts:
            parts.append([])
        parts[-1].append(tag)
    right = (
        count == sum(part[0] == first for part in parts)
        and all(part[0] == first and len(set(part)) == len(part) for part in parts)
        and count >= 0
    )
    if count == 0 and [tag for tag, _ in fields] == [55]:
        # A field of the message, behind a group of nothing; a snapshot has it already.
        right = kind == "X"
    feed = Feed()
    feed.send(BOOK)
    before = (feed.row(), feed.symbols)
    text = "|".join(f"{tag}={value}" for tag, value in fields)
    head = "55=S|" if kind == "W" else ""
    feed.send(f"{kind}|{head}268={count}" + (f"|{text}" if text else ""))
    assert feed.decoder.group.refused == (not right)
    if not right:
        assert (feed.row(), feed.symbols) == before
