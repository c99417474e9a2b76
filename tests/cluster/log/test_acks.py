"""What the log's numbers say of frames that it did not take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticker.cluster.log.acks import AckCount


def test_numbers_that_grow_by_what_was_sent_are_whole() -> None:
    count = AckCount()
    assert [count.acked(sent, 100 + sent) for sent in (3, 10, 11, 500)] == [0, 0, 0, 0]
    assert (count.lost, count.stored) == (0, 600)


def test_a_number_that_is_behind_says_how_many_are_missing() -> None:
    count = AckCount()
    count.acked(10, 10)
    assert count.acked(30, 25) == 5
    assert count.acked(40, 35) == 0
    assert count.lost == 5


def test_what_another_box_wrote_is_no_loss() -> None:
    count = AckCount()
    count.acked(10, 10)
    assert count.acked(20, 70) == 0
    assert count.acked(30, 79) == 1


def test_a_log_that_begins_anew_has_lost_nothing_of_ours() -> None:
    count = AckCount()
    count.acked(10, 5000)
    assert count.acked(20, 7) == 0
    assert count.acked(30, 16) == 1


@given(st.lists(st.booleans(), max_size=60), st.sets(st.integers(0, 59)))
def test_the_sum_is_what_was_dropped_between_two_acknowledgements(
    kept: list[bool], asked: set[int]
) -> None:
    count = AckCount()
    stored, seen = 0, []
    for number, keeps in enumerate(kept):
        stored += keeps
        if keeps and number in asked:
            seen.append(number)
            count.acked(number + 1, stored)
    between = kept[seen[0] : seen[-1]] if seen else []
    assert count.lost == between.count(False)
