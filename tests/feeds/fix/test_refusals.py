"""A live session refuses unusable market data: it rejects it with a reason of the FIX version, and
requests the books anew, not too often."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.feeds.fix.dialogue import SECOND, Dialogue
from ticker.feeds.fix.events import PER_MINUTE, Events
from ticker.feeds.fix.values import timestamp

BOOK = "W|55=S|268=2|269=0|270=10|271=5|269=1|270=11|271=6"
PLACES = "W|55=S|268=2|269=0|270=10|271=5|1023=1|269=0|270=9|271=6|1023=2"
KIND_FIRST = "X|268=1|269=0|279=0|55=S|270=10.5|271=3"
TWICE = "X|268=1|279=0|269=0|55=S|270=10.5|271=3|270=10.6"
NO_GROUP = "X|55=S"
LOST_PLACE = "X|268=1|279=2|269=0|55=S|1023=5"
PRICE = 10 * SECOND


@pytest.mark.parametrize(
    ("text", "tag", "reason", "words"),
    [
        (KIND_FIRST, b"268", b"16", "Incorrect NumInGroup count for repeating group"),
        (TWICE, b"270", b"13", "Tag appears more than once"),
        (NO_GROUP, b"268", b"1", "Required tag missing"),
        ("X|268=1|279=0|+1=2", b"", b"0", "Invalid tag number"),
    ],
)
@pytest.mark.parametrize("version", ["FIX.4.2", "FIX.4.4"])
@pytest.mark.parametrize("again", [False, True])
def test_a_refused_message_is_rejected_in_the_words_of_the_dialect(
    version: str, again: bool, text: str, tag: bytes, reason: bytes, words: str
) -> None:
    """In sequence, and when it comes again to fill a gap."""
    venue = Dialogue(version)
    venue.say(BOOK)
    number = venue.number
    if again:
        venue.number += 1
        venue.say("0")
        venue.say(text, number)
    else:
        venue.say(text)
    [reject] = venue.of_kind("3")
    assert (reject.get(45), reject.get(371), reject.text(58)) == (b"%d" % number, tag, words)
    assert reject.get(372) == text[0].encode()
    # FIX 4.2 has the reasons up to 11.
    has = version == "FIX.4.4" or int(reason) <= 11
    assert reject.get(373) == (reason if has else b"")
    assert (venue.row()["bid"], venue.counter("refused_messages")) == (PRICE, 1)
    assert venue.session.next_expected_sequence == venue.number
    assert any(event.kind == "rejected" for event in venue.session.take_events())


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Y|262=1|281=1|58=unknown symbol", True),
        ("j|45=2|372=V|380=6|58=not entitled", True),
        ("3|45=2|372=V|373=5|58=wrong", True),
        ("j|45=2|372=0|380=3|58=no", False),
        ("3|45=2|372=0|373=5|58=no", False),
    ],
)
def test_a_request_that_the_venue_refuses_is_known_as_such(text: str, asked: bool) -> None:
    """Of all that a venue can refuse, only the request for market data leaves a feed without."""
    venue = Dialogue()
    venue.say(text)
    [event] = venue.session.take_events()
    assert event.kind == ("request_rejected" if asked else "rejected")
    assert venue.counter("refusals") == asked


def test_after_a_refused_message_all_is_asked_for_anew_with_the_old_request_ended() -> None:
    venue = Dialogue()
    assert (venue.asked(), venue.asked(b"2")) == (1, 0)
    venue.say(BOOK)
    venue.say(TWICE)
    assert (venue.asked(), venue.asked(b"2")) == (2, 1)
    [old, ended, new] = venue.of_kind("V")
    assert old.get(262) == ended.get(262) != new.get(262)
    assert [event.kind for event in venue.session.take_events()] == ["rejected", "asked_anew"]


def test_a_place_that_is_not_there_makes_the_book_be_asked_for_anew() -> None:
    venue = Dialogue()
    venue.say(PLACES)
    venue.say("X|268=1|279=2|269=0|55=S|1023=1")
    assert venue.row()["bid"] == 9 * SECOND
    assert venue.asked() == 1
    venue.say(LOST_PLACE)
    assert venue.asked() == 2
    venue.say(PLACES)
    assert venue.row()["bid"] == PRICE


def test_a_venue_that_is_always_wrong_is_asked_less_and_less_often() -> None:
    """At once, after 5 s, 10 s, 20 s, ... 5 minutes; calm again, it is as at first."""
    venue = Dialogue()
    for second in range(3600):
        venue.say(LOST_PLACE)
        venue.wait(1)
        if second % 20 == 0:
            venue.say("0")
    asked = [timestamp(each.get(52)) for each in venue.of_kind("V") if each.get(263) == b"1"]
    waits = [(after - before) // SECOND for before, after in pairwise(asked)]
    assert waits[:7] == [0, 5, 10, 20, 40, 80, 160]
    assert set(waits[7:]) == {300}
    for _ in range(60):
        venue.wait(20)
        venue.say("0")
    before = venue.asked()
    for _ in range(6):
        venue.say(LOST_PLACE)
        venue.wait(1)
    assert venue.asked() - before == 2


def test_events_are_told_a_few_times_in_a_minute() -> None:
    events = Events()
    for number in range(1000):
        events.tell("rejected", f"message {number}", number * SECOND // 100)
    events.tell("closed", "", 9 * SECOND)
    told = events.take()
    assert len(told) == PER_MINUTE + 1
    assert told[-1].kind == "closed"
    events.tell("rejected", "message 1000", 61 * SECOND)
    [event] = events.take()
    assert event.text == "message 1000 (and 990 more in the minute before)"
    events.tell("rejected", "once", 1000 * SECOND)
    assert events.take()[0].text == "once"
