"""Images of a feed of several streams: a successor asks each stream for what came since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.feeds.images.streams import QUIET, SECOND, Kind, Pillar, Pitch, Side
from ticker.errors import FeedError
from ticker.feeds.images.places import CHANNELS, Places
from ticker.feeds.sequence.channels import beginnings_of
from ticker.shm.layout import RecordKind

PITCH = Pitch()


@pytest.fixture(params=[PITCH, Pillar()], ids=lambda kind: kind.protocol)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def killed(kind: Kind, **options: Any) -> tuple[Side, Side]:
    """A worker that died 300 messages of each unit after its image, and its successor, which
    nothing has come to yet; 200 came while nobody ran."""
    before = Side(kind, **options)
    before.take(1_500)
    image = before.image()
    before.take(300)
    before.take(200, unheard=True)
    return before, Side.after(before, image, **options)


def whole_day(kind: Kind, reached: dict[int, int]) -> Side:
    """One that heard everything so far."""
    side = Side(kind)
    side.take(min(reached.values()))
    return side


def test_a_successor_recovers_what_came_while_nobody_ran(kind: Kind) -> None:
    before, after = killed(kind)
    shown = before.rows()
    after.take(20)
    assert not after.is_level()
    assert before.rows() == shown, "nothing is shown that is older than what was"
    assert after.asked() == [], "nobody is logged in to the proxy yet"
    after.session.set_reachable(True)
    assert after.recover() == len(kind.streams) * 500
    assert after.is_level()
    after.show()
    whole = whole_day(kind, after.reached)
    assert after.rows() == whole.rows()
    assert after.depths() == whole.depths()
    assert {symbol: row["trades"] for symbol, row in shown.items()} != {
        symbol: row["trades"] for symbol, row in whole.rows().items()
    }
    for side in (after, whole):
        side.take(400)
    assert after.rows() == whole.rows()
    assert (after["lost_messages"], after["unknown_orders"], after["bad_orders"]) == (0, 0, 0)


def test_one_that_dies_while_it_recovers_leaves_its_successor_the_same(kind: Kind) -> None:
    before, first = killed(kind)
    first.take(20)
    first.session.set_reachable(True)
    for request in first.asked()[:2]:
        first.answer(request)
    second = Side.after(first, before.made)
    second.take(20)
    second.session.set_reachable(True)
    second.recover()
    assert second.is_level()
    second.show()
    assert second.rows() == whole_day(kind, second.reached).rows()


def test_it_waits_for_what_its_predecessor_had_shown(kind: Kind) -> None:
    """The first packet that it hears is of the slower line, behind what readers saw."""
    before, after = killed(kind)
    shown = before.rows()
    after.session.set_reachable(True)
    for unit in kind.streams:
        after.packet(unit, 1_601, 10, 1)
    while requests := after.asked():
        for each in requests:
            after.answer(each)
    assert not after.is_level()
    for unit in kind.streams:
        after.packet(unit, 1_611, 190, 1)
    assert after.is_level()
    after.show()
    assert after.rows() == shown


def test_nobody_answers(kind: Kind) -> None:
    """After two seconds without a login what came since the image is lost, and prices go on."""
    _, after = killed(kind)
    after.take(20)
    after.now += SECOND
    assert after.asked() == []
    assert not after.is_level()
    after.now += SECOND
    assert after.asked() == []
    assert after.is_level()
    after.show()
    assert after["lost_messages"] == len(kind.streams) * 500


def test_the_proxy_has_no_more_of_it_and_the_spin_server_heals_the_books() -> None:
    before = Side(PITCH)
    before.take(1_500)
    image = before.image()
    before.take(500, unheard=True)
    after = Side.after(before, image, image_timeout_ns=SECOND)
    assert [after.session.wants_image(unit) for unit in PITCH.streams] == [None, None, None]
    after.session.set_reachable(True)
    after.take(20)
    for unit, first, number in after.asked():
        PITCH.refuse(after.session, (unit, first, number), after.now)
    while not after.is_level():
        for unit, first, number in after.asked():
            PITCH.refuse(after.session, (unit, first, number), after.now)
    after.show()
    assert [after.session.wants_image(unit) for unit in PITCH.streams] == [2_000, 2_000, 2_000]


def test_a_damaged_unit_stays_so() -> None:
    before = Side(PITCH, image_timeout_ns=SECOND)
    for unit in PITCH.streams:
        assert before.session.apply_image(unit, 1, b"", before.now)
        before.reached[unit] = 1
    before.take(500)
    before.packet(2, 520, 10)
    before.packet(2, 520, 10, 1)
    before.now += SECOND
    before.session.data_to_send(before.now)
    before.market.publish(before.now)
    assert before["lost_messages"] == 18
    after = Side.after(before, before.image(), image_timeout_ns=SECOND)
    after.packet(2, 530, 10)
    assert after.session.wants_image(1) is None
    assert after.session.wants_image(2) == 529
    assert after.session.wants_image(3) is None


def test_a_unit_that_waits_for_its_image_has_none() -> None:
    side = Side(PITCH, image_timeout_ns=SECOND)
    side.take(20)
    assert side.session.image_state() is None


def test_a_silent_unit_does_not_hold_the_others_up(kind: Kind) -> None:
    _, after = killed(kind)
    first, silent, third = kind.streams
    after.session.set_reachable(True)
    after.take(20, streams=(first, third))
    after.recover()
    assert not after.is_level()
    after.now += QUIET
    assert after.is_level()
    assert after.session.skipped
    after.show()
    after.take(20, streams=(silent,))
    assert after.asked() == [], "it begins anew"


def test_an_image_of_before_a_unit_began_again_is_known(kind: Kind) -> None:
    side = Side(kind)
    side.take(100)
    image = side.image()
    assert beginnings_of(image.session_state) == side.words[CHANNELS]
    side.now += 2 * QUIET
    for sequence in (1, 11):
        for unit in kind.streams:
            side.packet(unit, sequence, 10)
    side.now += 1
    assert side.words[CHANNELS] > beginnings_of(image.session_state)
    assert side.session.beginnings == side.words[CHANNELS]


@pytest.mark.parametrize("state", [b"1234", b"\0" * 8 + b"\1\0\0\0" + b"\0" * 16, b"\0" * 15])
def test_a_state_of_streams_that_cannot_be_is_refused(kind: Kind, state: bytes) -> None:
    with pytest.raises(FeedError):
        Side(kind).session.restore_image(state)


def test_places_outlive_their_worker(tmp_path: Path) -> None:
    first = Places(tmp_path / "places")
    first.begin()
    first.words[7] = 1 << 40
    second = Places(tmp_path / "places")
    assert (second.words[7], second.beginnings) == (1 << 40, 1)
    second.begin()
    assert (first.words[7], first.beginnings) == (0, 2)


def net_trades(side: Side) -> dict[tuple[int, int], tuple[int, int]]:
    """What a reader of the rings has in the end: the price and size of each trade, by its row and
    number. It was told of each trade before it was told of its change, and once."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for record in side.records():
        key = record["row"], record["match"]
        if record["kind"] in (RecordKind.RECORD_TRADE, RecordKind.RECORD_PRINT):
            assert key not in found
            found[key] = record["price"], record["size"]
        elif record["kind"] == RecordKind.RECORD_CANCELLED:
            del found[key]
        elif record["kind"] == RecordKind.RECORD_CORRECTED:
            del found[key]
            found[record["row"], record["seq"]] = record["price"], record["size"]
    return found


def test_readers_are_told_of_the_breaks_that_came_while_nobody_ran(kind: Kind) -> None:
    before, after = killed(kind)
    heard = before["breaks"]
    after.take(20)
    after.session.set_reachable(True)
    after.recover()
    after.show()
    whole = whole_day(kind, after.reached)
    assert whole["breaks"] > heard > 0
    assert net_trades(after) == net_trades(whole)
    assert {each: row["corrections"] for each, row in after.rows().items()} == {
        each: row["corrections"] for each, row in whole.rows().items()
    }
