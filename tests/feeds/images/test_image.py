"""Images of a feed: made while it goes on, of one moment, and exact; or refused."""

from __future__ import annotations

import functools
import random

import pytest

from tests.feeds.images.days import (
    BOOT,
    FINGERPRINT,
    GEOMETRY,
    SESSION,
    Made,
    Side,
    messages_of_a_day,
)
from ticker.errors import FeedError
from ticker.feeds.images.image import Image
from ticker.feeds.market.market import Market
from ticker.feeds.workers import pipeline
from ticker.shm.segment import private_feed

COUNT = 24_000


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return messages_of_a_day(40, COUNT, 5)


def begun(messages: list[bytes], begin: int) -> tuple[Side, Made]:
    side = Side()
    side.take(messages[:begin], 1)
    made = Made(side)
    assert made.begin()
    return side, made


def finished(side: Side, made: Made, messages: list[bytes], at: int, step: int) -> int:
    """Slices of the image between packets, until it is whole; how many messages were taken."""
    while not made.whole:
        assert made.slice() >= 0
        side.take(messages[at : at + step], at + 1)
        at = min(at + step, len(messages))
    return at


@pytest.mark.parametrize(("seed", "kept"), [(0, 1 << 20), (1, 1 << 20), (2, 64), (3, 64)])
def test_goes_on_from_a_moment_though_orders_changed_meanwhile(
    messages: list[bytes], seed: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kept`: trades that can be broken; of 64 there are soon more, and new ones take the places of
    the oldest."""
    monkeypatch.setattr(pipeline, "Market", functools.partial(Market, trade_log=kept))
    chance = random.Random(seed)
    begin = chance.randrange(2_000, 14_000)
    side, made = begun(messages, begin)
    reached = finished(side, made, messages, begin, chance.choice((20, 60, 100)))
    image = made.read()
    assert (image.session, image.sequence) == (SESSION, begin + 1)
    assert reached > begin + 500, "or nothing changed while it was made"

    # The predecessor dies here; all that it showed stays in the segment.
    successor = Side(side.mapping, image)
    assert successor.market.orders > 0
    successor.take(messages[begin:reached], begin + 1)
    successor.caught_up()
    assert successor.rows() == side.rows()
    assert successor.depths() == side.depths()
    assert successor.market.orders == side.market.orders

    # From here on both take the rest of the day, and one that was never killed, all of it.
    successor.take([break_of(messages[:reached]), *messages[reached:]], reached + 1)
    whole = Side()
    whole.take(messages[:reached], 1)
    whole.take([break_of(messages[:reached]), *messages[reached:]], reached + 1)
    assert successor.rows() == whole.rows()
    assert successor.depths() == whole.depths()


def replaced(messages: list[bytes], begin: int) -> tuple[Side, Side, int]:
    """A successor that went on from an image, one that never died, and where both are. (A
    segment has one writer: the predecessor takes nothing any more.)"""
    side, made = begun(messages, begin)
    reached = finished(side, made, messages, begin, 60)
    successor = Side(side.mapping, made.read())
    successor.take(messages[begin:reached], begin + 1)
    successor.caught_up()
    whole = Side()
    whole.take(messages[:reached], 1)
    return successor, whole, reached


def test_a_break_of_a_trade_before_the_image_finds_it(messages: list[bytes]) -> None:
    successor, whole, reached = replaced(messages, 12_000)
    before = {symbol: row["volume"] for symbol, row in whole.rows().items()}
    for each in (successor, whole):
        each.take([break_of(messages[:12_000])], reached + 1)
    assert successor.rows() == whole.rows()
    assert {symbol: row["volume"] for symbol, row in whole.rows().items()} != before


def break_of(messages: list[bytes]) -> bytes:
    """A break of the last trade that an order's execution made."""
    for message in reversed(messages):
        if message[2:3] == b"E":
            broken = b"B" + message[3:5] + bytes(8) + message[25:33]
            return len(broken).to_bytes(2, "big") + broken
    raise AssertionError("no execution")


def test_a_trade_that_is_told_again_counts_once(messages: list[bytes]) -> None:
    successor, whole, reached = replaced(messages, 12_000)
    again = next(each for each in reversed(messages[:12_000]) if each[2:3] == b"P")
    for each in (successor, whole):
        before = {symbol: row["seq"] for symbol, row in each.rows().items()}
        each.take([again], reached + 1)
        assert {symbol: row["seq"] for symbol, row in each.rows().items()} == before
    assert successor.rows() == whole.rows()


def test_a_break_while_trades_are_copied_ends_it(messages: list[bytes]) -> None:
    side, made = begun(messages, 12_000)
    side.take([break_of(messages[:12_000])], 12_001)
    assert made.slice() == -1
    assert not made.imager.making
    assert made.begin(), "the next one is of the state behind it"
    assert made.slice() >= 0
    side.take([break_of(messages[:11_000])], 12_002)
    finished(side, made, [], 12_002, 1)
    assert made.read().sequence == 12_002


def test_another_session_while_it_is_made_ends_it(messages: list[bytes]) -> None:
    side, made = begun(messages, 6_000)
    assert made.slice() >= 0
    for _ in range(2):
        side.now += 10_000_000_000
        side.take(messages[:40], 1, b"SESSION002")
    assert side.pipeline.session.session_id == b"SESSION002"
    assert made.slice() == -1


def test_none_is_begun_while_a_session_is_computed_again(messages: list[bytes]) -> None:
    side = Side()
    side.take(messages[:2_000], 1)
    side.market.set_publishing(False)
    assert not Made(side).begin()


def test_a_session_that_ended_meanwhile_leaves_its_rows_and_the_next_counts_on(
    messages: list[bytes],
) -> None:
    """The successor finds another session than the image is of: as if it had seen the change."""
    side, made = begun(messages, 9_000)
    finished(side, made, [], 9_000, 1)
    side.take(messages[9_000:10_000], 9_001)
    successor = Side(side.mapping, made.read())
    successor.take(messages[:3_000], 1, b"SESSION002")
    successor.caught_up()
    whole = Side()
    whole.take(messages[:10_000], 1)
    whole.now += 10_000_000_000
    whole.take(messages[:3_000], 1, b"SESSION002")
    ours, theirs = successor.rows(), whole.rows()
    assert whole.pipeline.session.session_id == b"SESSION002"
    for symbol, row in theirs.items():
        for name in ("price", "volume", "trades", "seq", "high", "low", "bid", "ask"):
            assert ours[symbol][name] == row[name], (symbol, name)
    assert successor.depths() == whole.depths()


@pytest.fixture(scope="module")
def image_bytes(messages: list[bytes]) -> bytes:
    side, made = begun(messages, 6_000)
    finished(side, made, messages, 6_000, 20)
    return bytes(made.content)


def test_any_byte_that_is_not_as_it_was_refuses_an_image(image_bytes: bytes) -> None:
    chance = random.Random(3)
    used = len(image_bytes.rstrip(b"\0"))
    places = [*range(0, 700, 7), *(chance.randrange(4096, used) for _ in range(200))]
    for place in places:
        if not 8 <= place < 4096 or image_bytes[place]:
            damaged = bytearray(image_bytes)
            damaged[place] ^= 1 << chance.randrange(8)
            with pytest.raises(FeedError):
                Image(bytes(damaged), BOOT, FINGERPRINT)


@pytest.mark.parametrize(
    ("cut", "boot", "fingerprint", "words"),
    [
        (100, BOOT, FINGERPRINT, "no head"),
        (5000, BOOT, FINGERPRINT, "its end is missing"),
        (None, 8, FINGERPRINT, "another run of the server"),
        (None, BOOT, 1, "configuration has changed"),
    ],
)
def test_one_that_is_not_whole_or_not_ours_is_refused(
    image_bytes: bytes, cut: int | None, boot: int, fingerprint: int, words: str
) -> None:
    with pytest.raises(FeedError, match=words):
        Image(image_bytes[:cut], boot, fingerprint)


def test_one_of_a_segment_with_more_rows_is_refused(image_bytes: bytes) -> None:
    empty = private_feed(GEOMETRY, BOOT, 1)
    with pytest.raises(FeedError, match="rows that the segment does not have"):
        Side(empty, Image(image_bytes, BOOT, FINGERPRINT))
