"""The requests of Cboe units to the gap request proxy, and the effects of its answers."""

from __future__ import annotations

import pytest

from tests.feeds.cboe_feed import GAP_LINE, Feed, numbered, packet
from tests.feeds.session_types import MS, SECOND, START, B
from ticker.feeds.session import DEADLINE_NEVER


def test_asks_the_proxy_and_takes_the_replay_before_its_response() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(1, unit=3))
    feed(numbered(5))
    feed(numbered(5), B)
    feed(numbered(4, unit=3))
    feed(numbered(4, unit=3), B)
    assert feed.session.next_deadline(feed.now) == feed.now + MS
    feed.now += MS
    assert sorted(feed.wanted()) == [(1, 2, 3), (3, 2, 2)]
    assert feed.session.recovering
    # merged with what somebody else asked for, and cut as the proxy likes
    feed(numbered(1, 2), GAP_LINE)
    feed(numbered(3, 4), GAP_LINE)
    feed.session.gap_response(1, 2, 3, "A", feed.now)
    # 6 came by the replay alone: what is new is new, whichever line brings it
    assert feed.heard(1) == [1, 2, 3, 4, 5, 6]
    feed(numbered(7))
    assert feed.heard(1) == [1, 2, 3, 4, 5, 6, 7]
    feed(numbered(2, 2, unit=3), GAP_LINE)
    assert feed.heard(3) == [1, 2, 3, 4]
    assert (feed["recovered_messages"], feed["lost_messages"]) == (5, 0)
    assert not feed.session.recovering


def test_a_request_asks_for_a_hundred_at_most() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(302))
    feed.now += MS
    assert feed.wanted() == [(1, 2, 100), (1, 102, 100), (1, 202, 100)]


def test_asks_again_and_gives_up() -> None:
    feed = Feed(rerequest=True, request_attempts=3)
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(3), B)
    asked = 0
    while feed.session.next_deadline(feed.now) != DEADLINE_NEVER:
        feed.now = max(feed.now, feed.session.next_deadline(feed.now))
        asked += len(feed.wanted())
    assert asked == 3
    assert feed.now - START < SECOND
    assert feed.heard() == [1, 3]
    assert feed["lost_messages"] == 1
    feed(numbered(4))
    assert feed.heard() == [1, 3, 4]


def test_without_a_proxy_a_gap_is_left_to_the_lines_for_a_while() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(3), B)
    feed.now += 100 * MS
    assert feed.wanted() == []
    assert feed.heard() == [1, 3]
    assert feed["lost_messages"] == 1


@pytest.mark.parametrize("status", ["O", "I"])
def test_what_the_proxy_refuses_is_lost_at_once(status: str) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(5))
    feed(numbered(5), B)
    feed.now += MS
    assert feed.wanted() == [(1, 2, 3)]
    feed.session.gap_response(1, 2, 3, status, feed.now)
    assert feed.heard() == [1, 5]
    assert (feed["lost_messages"], feed["requests_refused"]) == (3, 1)
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER


def test_a_refusal_of_a_part_loses_only_that_part() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(302))
    feed(numbered(302), B)
    feed.now += MS
    feed.wanted()
    feed.session.gap_response(1, 2, 100, "O", feed.now)
    assert feed["lost_messages"] == 100
    feed(numbered(102, 200), GAP_LINE)
    assert feed.heard() == [1, *range(102, 303)]


def test_refusals_of_what_nobody_asked_for_change_nothing() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    for unit in (0, 1, 9, 255, 256, -1):
        for status in "AOICUDMS?":
            feed.session.gap_response(unit, 1, 65535, status, feed.now)
    feed.session.set_reachable(True)
    feed(numbered(2))
    assert feed.heard() == [1, 2]
    assert feed["lost_messages"] == 0


def test_too_large_a_request_is_made_smaller() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(102))
    feed.now += MS
    assert feed.wanted() == [(1, 2, 100)]
    feed.session.gap_response(1, 2, 100, "C", feed.now)
    feed.now += MS
    assert feed.wanted() == [(1, 2, 50), (1, 52, 50)]


def test_refusals_of_one_batch_make_requests_smaller_once() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(302))
    feed(numbered(302), B)
    feed.now += MS
    for unit, first, count in feed.wanted():
        feed.session.gap_response(unit, first, count, "C", feed.now)
    feed.now += MS
    assert {count for _, _, count in feed.wanted()} == {50}


def test_a_second_quota_is_waited_for() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(3))
    feed.now += MS
    assert len(feed.wanted()) == 1
    feed.session.gap_response(1, 2, 1, "S", feed.now)
    refused = feed.now
    assert feed.session.next_deadline(feed.now) == refused + SECOND
    feed.now += SECOND // 2
    assert feed.wanted() == []
    feed.now = refused + SECOND
    assert feed.wanted() == [(1, 2, 1)]
    assert feed["lost_messages"] == 0


@pytest.mark.parametrize("status", ["M", "D"])
def test_a_longer_quota_is_not(status: str) -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(3), B)
    feed.now += MS
    feed.wanted()
    feed.session.gap_response(1, 2, 1, status, feed.now)
    feed.now += 100 * MS
    assert feed.wanted() == []
    assert feed.heard() == [1, 3]
    feed.now += (60 if status == "M" else 86_400) * SECOND
    feed(packet(4))
    feed(numbered(5))
    feed.now += 200 * MS
    assert feed.wanted() == [(1, 4, 1)]


def test_nobody_logged_in_to_the_proxy_is_like_no_proxy() -> None:
    feed = Feed(rerequest=True)
    feed.session.set_reachable(False)
    feed(numbered(1))
    feed(numbered(3))
    feed(numbered(1, unit=2))
    feed(numbered(3, unit=2))
    feed.now += 50 * MS
    assert feed.wanted() == []
    feed.session.set_reachable(True)
    assert sorted(feed.wanted()) == [(1, 2, 1), (2, 2, 1)]


def test_a_refusal_of_what_one_packet_alone_claims_loses_nothing() -> None:
    """A forged number: the proxy has no such messages, because there are none."""
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(1000))
    feed.now += MS
    assert feed.wanted()[0] == (1, 2, 100)
    feed.session.gap_response(1, 2, 100, "O", feed.now)
    feed(numbered(2))
    assert feed.heard() == [1, 2]
    assert feed["lost_messages"] == 0
