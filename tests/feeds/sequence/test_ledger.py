"""The ledger of gaps, as sessions write it: the outcome of missing numbers, by cause."""

from __future__ import annotations

from tests.feeds.mold_feed import Feed, end_of_session, numbered
from tests.feeds.session_types import MS, RETRANSMISSION, SECOND, A, B
from ticker.shm.gap_view import GapView
from ticker.shm.gaps import GapReader


def gaps(feed: Feed) -> list[GapView]:
    """All that were found; the sums are those of them."""
    reader = GapReader(feed.mapping)
    found = reader.last()
    sums = reader.sums().sums()
    assert sums == {name: sum(gap.sums()[name] for gap in found) for name in sums}
    return found


def counted(gap: GapView) -> dict[str, int]:
    return {name: value for name, value in gap.sums().items() if value}


def test_who_showed_it_and_who_filled_it() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(10), B)
    feed(numbered(2, 3))
    feed.now += MS
    assert feed.wanted() == [(5, 5)]
    feed(numbered(5, 2), RETRANSMISSION)
    (gap,) = gaps(feed)
    assert (gap.start, gap.end, gap.line, gap.session) == (2, 10, "b", b"SESSION001")
    assert counted(gap) == {
        "missing": 8, "filled_by_line": 3, "recovered": 2, "open": 3, "requests": 1
    }  # fmt: skip
    feed(numbered(7, 3))
    (gap,) = gaps(feed)
    assert (gap.state, gap.closed_ns - gap.detected_ns) == ("filled", MS)


def test_both_parts_of_a_split_gap_are_one_entry() -> None:
    feed = Feed(request_timeout_ns=100 * MS)
    feed(numbered(1))
    feed(numbered(10))
    feed(numbered(10), B)
    feed(numbered(5), B)
    assert feed.wait_until_nothing_is_missing() == []
    (gap,) = gaps(feed)
    assert counted(gap) == {"missing": 8, "filled_by_line": 1, "lost_upstream": 7}
    assert gap.state == "lost"


def test_what_came_and_found_no_room_is_lost_downstream() -> None:
    feed = Feed(request_timeout_ns=100 * MS, buffer_bytes=300)
    feed(numbered(1))
    for sequence in range(11, 101):
        feed(numbered(sequence), A)
        feed(numbered(sequence), B)
    held = sum(len(message) > 0 for message in feed.messages)
    assert held == 1
    feed.wait_until_nothing_is_missing()
    lost = [gap for gap in gaps(feed) if gap.lost_upstream or gap.lost_downstream]
    assert sum(gap.lost_upstream for gap in lost) == 9
    assert sum(gap.lost_downstream for gap in lost) == 91 - len(feed.messages)
    assert 0 < sum(gap.lost_downstream for gap in lost) < 90
    assert feed["lost_messages"] == 100 - len(feed.messages)


def test_what_nothing_confirms_is_withdrawn() -> None:
    feed = Feed(request_timeout_ns=100 * MS)
    feed(numbered(1))
    feed(numbered(5_000_000))
    for step in range(8):
        feed.now += SECOND
        feed(numbered(2 + step))
    feed.wanted()
    (gap,) = gaps(feed)
    assert (gap.state, gap.open) == ("withdrawn", 0)
    assert counted(gap)["withdrawn"] + counted(gap)["filled_by_line"] == 4_999_998
    assert feed["lost_messages"] == 0


def test_another_session_takes_what_was_missing_with_it() -> None:
    feed = Feed(rerequest=True)
    feed(numbered(1))
    feed(numbered(4))
    feed(numbered(4), B)
    feed(end_of_session(5))
    feed.now += 10 * SECOND
    feed(numbered(1, session=b"SESSION002"))
    feed(numbered(2, session=b"SESSION002"))
    feed(numbered(3, session=b"SESSION002"))
    (gap,) = gaps(feed)
    assert counted(gap) == {"missing": 2, "lost_upstream": 2}
    assert gap.closed_ns == feed.now
