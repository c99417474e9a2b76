"""The sums of the ledger, held to what the test itself knows of each number: every cause at once,
over restarts of the worker and over sessions."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.feeds.mold_feed import Feed, end_of_session, numbered
from tests.feeds.session_types import MS, RETRANSMISSION, SECOND, A, B
from ticker.feeds.session import resume_point
from ticker.shm.gap_view import GapView
from ticker.shm.gaps import BECAME, GapReader

LAST = 400
BEHIND = 4
"""Packets by which line b is later than line a."""
FATES = ("both", "a", "b", "server", "nobody")


def agree(feed: Feed) -> tuple[dict[str, int], list[GapView]]:
    """The sums, after a look whether each gap's agree, and theirs with the ledger's."""
    reader = GapReader(feed.mapping)
    sums, found = reader.sums().sums(), reader.last()
    assert sums["gaps"] == len(found) if "gaps" in sums else True
    for each in (sums, *(gap.sums() for gap in found)):
        assert each["missing"] == each["open"] + sum(each[name] for name in BECAME), each
    for name in sums:
        assert sums[name] == sum(gap.sums()[name] for gap in found), name
    return sums, found


@dataclass
class Exchange:
    """A session of LAST numbers, each with its fate, told to a feed in a random order."""

    session: bytes
    chance: random.Random
    fates: dict[int, str] = field(default_factory=dict)
    given: set[int] = field(default_factory=set)
    """Numbers that the server was asked for and had. A server that was asked in vain is left alone
    for a while, so there are others that it has, too."""

    def __post_init__(self) -> None:
        ends = dict.fromkeys((1, 2, LAST - 1, LAST), "both")  # a start and an end are heard
        drawn = {number: self.chance.choice(FATES) for number in range(1, LAST + 1)}
        self.fates = {**drawn, **ends}

    def speak(self, feed: Feed, begin: int, end: int) -> None:
        """Line a, line b some packets later, and the server's answers."""
        for step in range(begin, end + BEHIND):
            for line, name, number in ((A, "a", step), (B, "b", step - BEHIND)):
                if begin <= number < end and self.fates[number] in ("both", name):
                    feed(numbered(number, session=self.session), line)
            feed.now += MS
            self.answer(feed)
            feed.session.save()
            agree(feed)

    def answer(self, feed: Feed) -> None:
        """The server has what the lines lost; of the rest it says nothing."""
        for request in feed.session.data_to_send(feed.now):
            first, count = (
                int.from_bytes(request[10:18], "big"),
                int.from_bytes(request[18:], "big"),
            )
            for number in range(first, first + count) if request[:10] == self.session else ():
                if self.fates.get(number) == "server":
                    self.given.add(number)
                    feed(numbered(number, session=self.session), RETRANSMISSION)

    def settle(self, feed: Feed) -> None:
        """Until nothing is open."""
        for _ in range(2000):
            feed.now += 10 * MS
            self.answer(feed)
            if not agree(feed)[0]["open"]:
                return
        raise AssertionError(f"still open: {agree(feed)[0]}")

    @property
    def lost(self) -> set[int]:
        """The numbers that never came."""
        unheard = {number for number, fate in self.fates.items() if fate in ("nobody", "server")}
        return unheard - self.given


def feed_of(before: Feed | None = None, **more: Any) -> Feed:
    """A feed with a server; or its successor, on the same segment."""
    options: dict[str, Any] = {"rerequest": True, "request_timeout_ns": 20 * MS, **more}
    if before is None:
        return Feed(**options)
    made = Feed(mapping=before.mapping, resume=resume_point(before.mapping), **options)
    made.now = before.now + SECOND
    made.session.ledger.take_over(made.now)
    return made


@pytest.mark.parametrize("seed", range(8))
def test_each_number_has_the_cause_that_it_had(seed: int) -> None:
    exchange = Exchange(b"SESSION001", random.Random(seed))
    feed = feed_of()
    exchange.speak(feed, 1, LAST + 1)
    exchange.settle(feed)
    sums, found = agree(feed)
    assert sums["lost_upstream"] == len(exchange.lost) > 0
    assert sums["recovered"] == len(exchange.given) > 0
    assert sums["filled_by_line"] > 0
    assert (sums["lost_downstream"], sums["withdrawn"]) == (0, 0)
    assert feed["lost_messages"] == sums["lost_upstream"]
    assert feed["recovered_messages"] == sums["recovered"]
    assert len(feed.messages) == LAST - len(exchange.lost)
    for gap in found:
        lost = len(exchange.lost & set(range(gap.start, gap.end)))
        assert (gap.end - gap.start, lost) == (gap.missing, gap.lost_upstream)


@pytest.mark.parametrize("seed", range(4))
def test_over_a_restart_of_the_worker(seed: int) -> None:
    """What a predecessor left open is withdrawn: it is missing again for its successor."""
    exchange = Exchange(b"SESSION001", random.Random(seed))
    feed = feed_of()
    heard: list[bytes] = []
    for begin, end in ((1, 150), (150, 151), (151, LAST + 1)):
        exchange.speak(feed, begin, end)
        if end <= LAST:
            heard += feed.messages
            feed = feed_of(feed)
            assert agree(feed)[0]["open"] == 0
    exchange.settle(feed)
    heard += feed.messages
    sums, found = agree(feed)
    assert sorted(heard, key=lambda text: int(text[1:])) == heard, "none twice, none out of order"
    shown = {int(text[1:]) for text in heard}
    never = exchange.lost
    assert shown.isdisjoint(never)
    lost = sums["lost_upstream"] + sums["lost_downstream"]
    assert lost == LAST - len(shown) >= len(never)
    assert sums["missing"] == (
        lost + sums["recovered"] + sums["filled_by_line"] + sums["withdrawn"]
    )
    assert sum(gap.end - gap.start for gap in found) == sums["missing"]


@pytest.mark.parametrize("seed", range(4))
def test_over_a_change_of_the_session(seed: int) -> None:
    """The second session counts from 1 again; the numbers of the first stay its own."""
    chance = random.Random(seed)
    first, second = (Exchange(name, chance) for name in (b"SESSION001", b"SESSION002"))
    feed = feed_of()
    first.speak(feed, 1, LAST + 1)
    feed(end_of_session(LAST + 1))
    before = agree(feed)[0]
    feed.now += 10 * SECOND
    second.speak(feed, 1, LAST + 1)
    second.settle(feed)
    sums, found = agree(feed)
    for exchange in (first, second):
        gaps = [gap for gap in found if gap.session == exchange.session]
        assert sum(gap.lost_upstream + gap.lost_downstream for gap in gaps) == len(exchange.lost)
        assert sum(gap.recovered for gap in gaps) == len(exchange.given)
    assert len(feed.messages) == 2 * LAST - len(first.lost) - len(second.lost)
    assert feed["lost_messages"] == len(first.lost) + len(second.lost)
    assert sums["missing"] >= before["missing"]
    assert sums["open"] == 0


def test_what_came_twice_and_found_no_room_is_one_loss_each() -> None:
    """Numbers that nobody sent, between those that both lines brought and no buffer held."""
    feed = Feed(request_timeout_ns=100 * MS, buffer_bytes=300)
    feed(numbered(1))
    sent = {1}
    for number in range(20, 101):
        if number % 3:
            sent.add(number)
            feed(numbered(number), A)
            feed(numbered(number), B)
    feed.wait_until_nothing_is_missing()
    sums, _ = agree(feed)
    shown = {int(text[1:]) for text in feed.messages}
    known = range(1, max(sent) + 1)
    assert sums["lost_downstream"] == len(sent - shown)
    assert sums["lost_upstream"] == len(set(known) - sent)
    assert feed["lost_messages"] == len(set(known) - shown)
