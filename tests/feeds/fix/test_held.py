"""A gap holds messages within a bound of messages and of bytes; what has no room comes again."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import pytest

from tests.feeds.fix.dialogue import SECOND, Dialogue
from ticker.feeds.fix.held import Frame, Held


def trade(number: int, padding: str = "") -> str:
    text = f"|58={padding}" if padding else ""
    return f"X|268=1|279=0|269=2|278=T{number}|55=S|270={number}|271=1{text}"


def test_the_bounds() -> None:
    held = Held(3, 2000)
    frame = Frame(b"FIX.4.4", b"x" * 500, 0)
    assert held.hold(5, frame)
    assert held.hold(7, None)
    assert not held.hold(9, Frame(b"FIX.4.4", b"x" * 1000, 0)), "too many bytes"
    assert held.hold(9, frame)
    assert not held.hold(11, None), "too many messages"
    assert held.hold(9, None), "the same again takes no more room"
    assert (held.first(0), 7 in held, 8 in held) == (5, True, False)
    held.forget_below(7)
    assert held.first(0) == 7
    assert held.take(7) is None
    held.clear()
    assert (bool(held), held.bytes, held.first(3)) == (False, 0, 3)


def test_what_is_held_counts_in_its_turn() -> None:
    venue = Dialogue()
    first = venue.number
    venue.number += 3
    for number in range(4, 8):
        venue.say(trade(number))
    assert venue.of_kind("2")[0].get(7) == b"%d" % first
    assert venue.row_count() == 0
    for number in range(1, 4):
        venue.say(trade(number), first + number - 1)
    assert venue.row()["trades"] == 7
    assert venue.row()["price"] == 7 * SECOND
    assert venue.counter("reorder_drops") == 0


def test_what_has_no_room_comes_again_with_the_gap() -> None:
    venue = Dialogue(held_bytes=4000)
    first = venue.number
    venue.number += 1
    for number in range(2, 30):
        venue.say(trade(number))
    assert venue.counter("reorder_drops") > 10
    for number in range(1, 30):
        venue.say(trade(number), first + number - 1, again=True)
    assert venue.row()["trades"] == 29
    assert not venue.session.recovering


def flood(venue: Dialogue, messages: int, size: int) -> Iterator[bytes]:
    """Frames of so many bytes with rising numbers, from the venue's next one on."""
    frame = venue.frame(trade(1, "x" * size), 1_000_000)
    before, after = frame[:-7].split(b"34=1000000")
    rest = sum(before) + sum(b"34=") + sum(after)
    for number in range(venue.number, venue.number + messages):
        digits = b"%07d" % number
        total = rest + sum(digits)
        yield b"%b34=%b%b10=%03d\x01" % (before, digits, after, total % 256)


@pytest.mark.slow
def test_a_flood_behind_a_gap_takes_a_bounded_amount_of_memory_and_time() -> None:
    """A venue that leaves out one message, and sends 10,000 of 200 kB instead of it."""
    venue = Dialogue()
    first = venue.number
    venue.number += 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = 0.0
    for frame in flood(venue, 10_000, 200_000):
        started = time.process_time()
        venue.session.receive_data(frame, 0, venue.now)
        spent += time.process_time() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 * 1024, f"{grown} kB"
    assert spent < 10_000 * 1e-3
    assert venue.counter("reorder_drops") > 9_900
    assert venue.session.next_expected_sequence == first
    venue.collect()
    assert len(venue.of_kind("2")) == 1, "what is missing is asked for once"
