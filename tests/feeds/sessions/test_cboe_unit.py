"""Cboe sequenced units: each unit's messages once and in order, with any faults of the lines."""

from __future__ import annotations

from tests.feeds.cboe_feed import CLEAR, GAP_LINE, LAST, Feed, numbered, packet, text
from tests.feeds.session_types import MS, SECOND, B
from ticker.feeds.session import DEADLINE_NEVER


def test_delivers_each_unit_in_order_and_counts() -> None:
    feed = Feed()
    feed(numbered(1, 2))
    feed(numbered(7, 1, unit=2))
    feed(numbered(3, 3), B)
    feed(numbered(8, 2, unit=2))
    assert feed.heard(1) == [1, 2, 3, 4, 5]
    assert feed.heard(2) == [7, 8, 9]
    assert (feed["packets"], feed["messages"], feed["gaps"], feed["sessions"]) == (4, 8, 0, 2)
    assert (feed["packets_line_a"], feed["packets_line_b"]) == (3, 1)
    assert feed.session.next_deadline(feed.now) == DEADLINE_NEVER


def test_lines_that_frame_differently_are_arbitrated_per_message() -> None:
    feed = Feed()
    feed(numbered(1, 3))
    feed(numbered(1, 2), B)
    feed(numbered(3, 4), B)
    feed(numbered(4, 2))
    feed(numbered(6, 3))
    assert feed.heard() == list(range(1, 9))
    assert feed["duplicate_messages"] == 2 + 1 + 2 + 1


def test_the_other_line_fills_a_gap_with_its_own_framing() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(5, 3))
    feed(numbered(2, 2), B)
    assert feed.heard() == [1, 2, 3]
    feed(numbered(4, 2), B)
    assert feed.heard() == [1, 2, 3, 4, 5, 6, 7]
    assert (feed["gaps"], feed["gap_messages"], feed["gaps_filled_by_line"]) == (1, 3, 1)
    assert feed["requests"] == 0


def test_a_gap_of_one_unit_does_not_hold_the_others_up() -> None:
    feed = Feed()
    for unit in (1, 2):
        feed(numbered(1, unit=unit))
    feed(numbered(3))
    feed(numbered(2, unit=2))
    assert (feed.heard(1), feed.heard(2)) == ([1], [1, 2])


def test_heartbeats_tell_of_a_gap_at_the_end() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(packet(2))
    assert feed["gaps"] == 0
    feed(packet(4))
    assert (feed["gaps"], feed["gap_messages"], feed["heartbeats"]) == (1, 2, 2)


def test_heartbeats_outside_of_trading_hours_are_a_sign_of_life() -> None:
    feed = Feed()
    feed(packet(0, unit=1), GAP_LINE)
    assert feed.session.last_packet_ns == 0
    feed(packet(0, unit=1))
    assert feed.session.last_packet_ns == feed.now
    assert (feed["heartbeats"], feed["sessions"], feed["gaps"]) == (2, 0, 0)
    feed(packet(1, unit=1))
    feed(packet(0, unit=1))
    feed(numbered(1))
    assert feed.heard() == [1]


def test_a_replay_joins_nothing() -> None:
    feed = Feed()
    feed(numbered(100), GAP_LINE)
    assert (feed["sessions"], feed["other_session_packets"]) == (0, 1)
    feed(numbered(1))
    assert feed.heard() == [1]


def test_the_number_goes_round() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(LAST - 2, 2))
    feed(numbered(LAST, 3))
    feed(numbered(3))
    assert feed.heard() == [LAST - 2, LAST - 1, LAST, 1, 2, 3]
    assert feed["gaps"] == 0
    feed(numbered(LAST - 1, 3), B)
    assert feed["duplicate_messages"] == 3


def test_a_gap_across_the_end_passes_over_zero() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(LAST - 2))
    feed(numbered(3))
    feed.now += MS
    assert feed.wanted() == [(1, LAST - 1, 4)]
    feed(numbered(LAST - 1, 4), GAP_LINE)
    assert feed.heard() == [LAST - 2, LAST - 1, LAST, 1, 2, 3]
    assert feed["recovered_messages"] == 4


def test_late_packets_of_before_the_end_are_duplicates() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(LAST - 1, 2))
    assert feed["gaps"] == 0
    feed(numbered(2))
    assert feed.heard() == [1, 2]


def test_all_units_begin_again_after_a_quiet_time() -> None:
    feed = Feed()
    feed(numbered(900, 5))
    feed(numbered(500, 5, unit=2))
    feed.now += 3 * SECOND
    feed(numbered(1))
    feed(numbered(1, unit=2))
    feed(numbered(2, unit=2))
    feed(numbered(2))
    assert feed.heard(1)[-2:] == [1, 2], "what was heard before the session is not lost"
    assert feed.heard(2)[-2:] == [1, 2]
    assert CLEAR not in feed.messages
    assert (feed["gaps"], feed["sessions"]) == (0, 4)


def test_one_unit_that_begins_again_loses_its_own_orders_only() -> None:
    feed = Feed()
    feed(numbered(900, 5))
    feed(numbered(500, 5, unit=2))
    feed.now += 3 * SECOND
    feed(numbered(505, unit=2))
    feed(numbered(1))
    feed(numbered(2))
    assert feed.messages[-3:] == [CLEAR, text(1), text(2)]
    feed(numbered(506, unit=2))
    assert feed.heard(2)[-1] == 506


def test_what_is_too_far_ahead_is_garbage() -> None:
    feed = Feed()
    feed(numbered(1))
    feed(numbered(2**28 + 100))
    feed(packet(2**31))
    assert (feed["bad_packets"], feed["gaps"]) == (2, 0)


def test_a_day_that_ended_beyond_half_of_the_numbers_begins_again() -> None:
    feed = Feed()
    feed(numbered(2**31 + 2**29, 5))
    feed.now += 3 * SECOND
    feed(numbered(1))
    feed(numbered(2))
    assert feed.heard()[-2:] == [1, 2]


def test_the_end_of_every_unit_is_the_end() -> None:
    end = b"\x06\x2d\0\0\0\0"
    feed = Feed()
    feed(numbered(1, 3))
    feed(numbered(1, unit=2))
    feed(packet(4, end))
    assert not feed.session.ended
    feed(packet(2, end, unit=2))
    assert feed.session.ended
    feed.now += 3 * SECOND
    feed(numbered(1))
    assert feed.session.ended, "one packet alone begins nothing"
    feed(numbered(2))
    assert not feed.session.ended


def test_one_forged_packet_begins_no_unit_again_and_loses_no_message() -> None:
    feed = Feed()
    feed(numbered(900, 5))
    feed(numbered(905))
    feed.now += 4 * SECOND
    feed(numbered(1))
    feed(numbered(906))
    for sequence in (907, 908, 909):
        feed(numbered(1 << 20))
        feed.now += 2 * SECOND
        feed.session.data_to_send(feed.now)
        feed(numbered(sequence))
    assert feed.heard() == list(range(900, 910))
    assert (feed["sessions"], feed["lost_messages"]) == (1, 0)
    assert CLEAR not in feed.messages


# -- images --------------------------------------------------------------------------------------
