"""Images of Cboe units: a late start, with one and without."""

from __future__ import annotations

import pytest

from tests.feeds.cboe_feed import CLEAR, GAP_LINE, LAST, Feed, numbered, text
from tests.feeds.session_types import MS, SECOND, START, B
from ticker.feeds.session import DEADLINE_NEVER


def test_joins_late_with_an_image() -> None:
    feed = Feed(rerequest=True, image_timeout_ns=5 * SECOND)
    feed(numbered(100, 2))
    assert feed.heard() == []
    assert feed.session.recovering
    assert feed.session.wants_image(1) == 99
    feed(numbered(103, 2))
    feed(numbered(102), B)
    assert not feed.session.apply_image(1, 98, text(50), feed.now)
    assert feed.session.apply_image(1, 102, text(50) + text(60), feed.now)
    assert feed.messages == [CLEAR, text(50), text(60), text(103), text(104)]
    assert feed.session.wants_image(1) is None
    feed(numbered(105))
    assert feed.heard()[-1] == 105
    assert (feed["images"], feed["lost_messages"]) == (1, 0)
    assert not feed.session.recovering
    assert not feed.session.apply_image(1, 200, b"", feed.now)


def test_an_image_just_before_the_first_packet_is_enough() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100))
    assert feed.session.apply_image(1, 99, text(1), feed.now)
    assert feed.heard() == [1, 100]


def test_an_image_ahead_of_the_lines() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100, 3))
    assert feed.session.apply_image(1, 110, text(1), feed.now)
    feed(numbered(103, 9))
    assert feed.heard() == [1, 111]


def test_a_packet_that_begins_before_the_first_one_seen_is_kept_too() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100, 2))
    feed(numbered(98, 6), B)
    feed(numbered(97, 2), B)
    assert feed.messages == []
    assert feed.session.apply_image(1, 100, b"", feed.now)
    assert feed.heard() == [101, 102, 103]


def test_an_image_before_any_packet() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    assert feed.session.wants_image(1) == 0
    assert feed.session.apply_image(1, 110, text(1), feed.now)
    feed(numbered(105, 10))
    assert feed.heard() == [1, 111, 112, 113, 114]


def test_an_image_at_the_start_of_the_day_and_across_the_end_of_the_numbers() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(1))
    assert feed.session.wants_image(1) == LAST
    assert feed.session.apply_image(1, 0, b"", feed.now)
    assert feed.heard() == [1]
    feed(numbered(LAST, 2, unit=2))
    assert feed.session.apply_image(2, LAST, b"", feed.now)
    assert feed.heard(2) == [1]


def test_gaps_behind_the_image_are_asked_for_after_it() -> None:
    feed = Feed(rerequest=True, image_timeout_ns=5 * SECOND)
    feed(numbered(100))
    feed(numbered(105))
    feed.now += SECOND
    assert feed.wanted() == []
    assert feed.session.apply_image(1, 102, b"", feed.now)
    feed.now += MS
    assert feed.wanted() == [(1, 103, 2)]
    feed(numbered(103, 2), GAP_LINE)
    assert feed.heard() == [103, 104, 105]


def test_no_image_in_time() -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100, 2))
    assert feed.session.next_deadline(feed.now) == START + 5 * SECOND
    feed.now += 5 * SECOND
    assert feed.wanted() == []
    assert feed.heard() == [100, 101]
    assert not feed.session.recovering
    feed(numbered(102))
    assert feed.heard()[-1] == 102
    # One that comes later is still of use, if it reaches what is kept.
    assert feed.session.wants_image(1) == 99
    assert not feed.session.apply_image(1, 98, b"", feed.now)
    assert feed.session.apply_image(1, 101, b"", feed.now)
    assert feed.session.wants_image(1) is None


def test_a_full_buffer_while_waiting_asks_again_later() -> None:
    feed = Feed(rerequest=True, image_timeout_ns=5 * SECOND, buffer_bytes=1)
    number = 40
    for sequence in range(100, 40_100, number):
        feed(numbered(sequence, number))
    assert feed["reorder_drops"] > 0
    assert feed.session.apply_image(1, 99, b"", feed.now)
    while feed.session.next_deadline(feed.now) != DEADLINE_NEVER:
        feed.now = max(feed.now, feed.session.next_deadline(feed.now))
        for _, first, count in feed.wanted():
            feed(numbered(first, count), GAP_LINE)
    assert feed.heard() == list(range(100, 40_100))
    assert feed["lost_messages"] == 0


@pytest.mark.parametrize("messages", [b"\x01", b"\x06\x21", b"\0" * 20, text(1) + b"\x05"])
def test_a_broken_image_is_refused(messages: bytes) -> None:
    feed = Feed(image_timeout_ns=5 * SECOND)
    feed(numbered(100))
    assert not feed.session.apply_image(1, 100, messages, feed.now)
    assert feed.messages == []


# -- broken packets ------------------------------------------------------------------------------
