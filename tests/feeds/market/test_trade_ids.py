"""Duplicates: the ids of the whole session, and refusals beyond their bound."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.market.ruled import NANO_DOLLAR, NOON, REGULAR
from ticker.config.filter import FilterConfig
from ticker.feeds import calls
from ticker.feeds.calls import Calls, joined_id
from ticker.feeds.market.trade_ids import MOST_IDS, TradeIds

FEWEST = 2_560
"""What the smallest set remembers at least; at most it has twice as many."""
MS = 1_000_000


class Tape:
    """A market, and trades of one share with the ids, instruments and times that it is told."""

    def __init__(self, make_feed: Callable[..., Any], ids: int = 1, symbols: int = 1) -> None:
        rules = FilterConfig(duplicate_ids=ids, max_ahead=0, band=0, older=False)
        self.feed = make_feed(rules=rules)
        self.calls = Calls(self.feed.market)
        self.instruments = [self.calls.define(key, f"S{key}") for key in range(symbols)]

    def trade(
        self, match: int, at_ms: int, *, instrument: int = 0, flags: int = REGULAR, late_ms: int = 0
    ) -> None:
        time = NOON + at_ms * MS
        received = time + late_ms * MS
        self.calls.trade(
            self.instruments[instrument], NANO_DOLLAR, 1, match, flags, time, received
        )  # fmt: skip

    def volume(self, instrument: int = 0) -> int:
        self.feed.market.publish(1)
        return int(self.feed.row(f"S{instrument}")["volume"])

    def refused(self) -> tuple[int, int]:
        return (
            self.feed.counter("rejected_duplicate"),
            self.feed.counter("rejected_too_old_to_tell"),
        )


@pytest.mark.parametrize("order", ["growing", "random", "two series", "many series"])
def test_an_hour_that_is_sent_again_does_not_double_volume(
    make_feed: Callable[..., Any], order: str
) -> None:
    """Numbers that grow are known to be new without a look at the older tables; others are not."""
    tape = Tape(make_feed, ids=30_000, symbols=3)
    matches = list(range(1, 12_001))
    if "series" in order:
        # Each origin has numbers of its own, which grow: a few origins are followed, not all.
        origins = 2 if order == "two series" else 17
        matches = [(match % origins << 32) + match for match in matches]
    if order == "random":
        random.Random(5).shuffle(matches)
    for turn in range(2):
        for at, match in enumerate(matches):
            tape.trade(match, at, instrument=at % 3, late_ms=turn * 3_600_000)
    assert [tape.volume(each) for each in range(3)] == [4_000] * 3
    assert tape.refused() == (12_000, 0)


def test_the_same_number_of_another_instrument_is_another_trade(
    make_feed: Callable[..., Any],
) -> None:
    tape = Tape(make_feed, symbols=2)
    for instrument in (0, 1, 0, 1):
        tape.trade(7, 0, instrument=instrument)
    assert (tape.volume(0), tape.volume(1), tape.refused()) == (1, 1, (2, 0))


def test_what_is_too_old_to_tell_is_refused_and_counted(make_feed: Callable[..., Any]) -> None:
    tape = Tape(make_feed)
    sent = 3 * FEWEST + 100
    for number in range(sent):
        tape.trade(1 + number, number)
    assert tape.volume() == sent
    for number in range(sent):
        tape.trade(1 + number, number)
    assert tape.volume() == sent
    duplicates, too_old = tape.refused()
    assert duplicates + too_old == sent
    assert FEWEST <= duplicates <= 2 * FEWEST
    # a late one that was never here has the time of those that are forgotten, too
    tape.trade(99_999_999, 5)
    assert tape.refused() == (duplicates, too_old + 1)
    reject = tape.feed.market.rejects()[-1]
    assert reject[0] == "too_old_to_tell"
    assert reject.detail == "trade number 99999999 may have come before: it is of a time forgotten"
    # one that is not as old is told apart, and one without a number, or of a snapshot, is no matter
    tape.trade(99_999_998, sent - 100)
    tape.trade(0, 5)
    tape.trade(99_999_997, 5, flags=calls.TRADE_SETS_RANGE | calls.TRADE_TOLD)
    assert tape.volume() == sent + 2
    assert tape.refused() == (duplicates, too_old + 1)


def test_a_time_in_the_future_makes_nothing_look_old(make_feed: Callable[..., Any]) -> None:
    tape = Tape(make_feed)
    tape.trade(1, 86_400_000, late_ms=-86_400_000)
    for number in range(4 * FEWEST):
        tape.trade(2 + number, number)
    assert tape.refused() == (0, 0)


def test_a_new_session_has_numbers_of_its_own(make_feed: Callable[..., Any]) -> None:
    tape = Tape(make_feed)
    for number in range(4 * FEWEST):
        tape.trade(1 + number, number)
    tape.calls.start_session(NOON)
    for number in range(10):
        tape.trade(1 + number, number)
    assert tape.refused() == (0, 0)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6_000), st.integers(1, 700)), max_size=30),
    st.integers(1, 40_000),
)
def test_as_a_set_of_all_ids_says_it(
    make_feed: Callable[..., Any], runs: list[tuple[int, int, int]], most: int
) -> None:
    """Runs of numbers, up or down, again and again: counted once each, as long as all fit."""
    tape = Tape(make_feed, ids=max(most, 21_000), symbols=3)
    seen: set[tuple[int, int]] = set()
    again = 0
    for turn, (instrument, first, length) in enumerate(runs):
        numbers = range(first, first + length)
        for match in numbers if turn % 2 else reversed(numbers):
            again += (instrument, match) in seen
            seen.add((instrument, match))
            tape.trade(match, turn, instrument=instrument)
    assert [tape.volume(each) for each in range(3)] == [
        sum(instrument == each for instrument, _ in seen) for each in range(3)
    ]
    assert tape.refused() == (again, 0)


def test_an_id_of_several_parts_is_one_number() -> None:
    found = {
        joined_id(joined_id(venue, facility), match)
        for venue in range(20)
        for facility in range(5)
        for match in range(200)
    }
    assert len(found) == 20 * 5 * 200
    assert joined_id(1, 2) != joined_id(2, 1)
    assert joined_id(0, 0) != 0
    assert joined_id(2**64 - 1, 2**64 - 1) == joined_id(2**64 - 1, 2**64 - 1)


def test_a_successor_does_not_know_what_its_predecessor_had(make_feed: Callable[..., Any]) -> None:
    """An hour that is sent again after a restart counts from where the rows end."""
    tape = Tape(make_feed)
    for number in range(10):
        tape.trade(1 + number, number)
    assert tape.volume() == 10
    successor = make_feed(mapping=tape.feed.mapping, rules=FilterConfig(max_ahead=0))
    successor.market.adopt_rows(rebuild=False)
    tape.feed, tape.calls = successor, Calls(successor.market)
    for number in range(15):
        tape.trade(1 + number, number)
    assert tape.volume() == 15
    assert tape.refused() == (0, 10)


@pytest.mark.parametrize("most", [0, MOST_IDS + 1])
def test_the_number_of_ids_has_bounds(make_feed: Callable[..., Any], most: int) -> None:
    with pytest.raises(ValueError, match=f"{most} trade ids: remember 1 to {MOST_IDS}"):
        TradeIds(make_feed().mapping, most)


def test_a_trade_of_the_last_second_before_the_horizon_is_seconds_away(
    make_feed: Callable[..., Any],
) -> None:
    """What was remembered last is never too old: the horizon is that of the older half."""
    tape = Tape(make_feed)
    for number in range(10 * FEWEST):
        tape.trade(1 + number, number)
        if number:
            tape.trade(number, number - 1)
    assert tape.refused() == (10 * FEWEST - 1, 0)
