"""NYSE Pillar: every type, prices and times, a successor; any bytes. Effects: tests/data/pillar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.sessions.xdp_messages import DAY, E9, message, say
from ticker.feeds.protocols.pillar import MESSAGE_LENGTHS, Pillar

ROW_LISTED = 8
U = 100_000
"""1e-9 units in one of a price with four decimals."""


@pytest.fixture
def feed(make_feed: Callable[..., Any]) -> Any:
    return make_feed(protocol=Pillar, venue="XNYS")


def test_knows_every_type_of_the_specification() -> None:
    assert MESSAGE_LENGTHS == {
        1: 14, 2: 16, 3: 44, 32: 20, 34: 46, 35: 8, 100: 39, 101: 35, 102: 25, 103: 42, 104: 42,
        105: 67, 106: 43, 110: 32, 111: 29, 112: 20, 113: 24, 114: 17, 223: 36,
    }  # fmt: skip


def test_the_test_speaks_it_too() -> None:
    spoken = [
        say.reset(), say.reference(), say.mapping(), say.clear(), say.status("4"),
        say.add(1, "B", 1, 1), say.modify(1, 1, 1), say.delete(1), say.execute(1, 1, 1, 1),
        say.replace(1, 2, 1, 1),
        say.refreshed(1), say.cross(1, 1, 1), say.cancel(1), say.correct_cross(1, 1), say.retail(),
        say.summary(),
    ]  # fmt: skip
    for each in spoken:
        size, kind = int.from_bytes(each[:2], "little"), int.from_bytes(each[2:4], "little")
        assert len(each) == size == MESSAGE_LENGTHS[kind]
    assert len(say.imbalance()) == 73
    assert len(say.trade(1, 1, 1)) == 33
    assert len(say.refresh_header()) == 16


@pytest.mark.parametrize("kind", sorted(MESSAGE_LENGTHS))
def test_accepts_longer_messages_and_counts_shorter_ones(feed: Any, kind: int) -> None:
    length = MESSAGE_LENGTHS[kind]
    whole = message(kind, f"{length - 4}s", b"A" * (length - 4))
    feed.send(whole, whole + b"tail of a later version", whole[:-1], whole[:3], b"")
    assert feed.decoder.message_counts == {kind: 2}
    assert feed.counter("short_messages") == 3
    assert feed.counter("unknown_types") == 0


@pytest.mark.parametrize(
    ("scale", "price", "wanted"),
    [
        (0, 4_294_967_295, 4_294_967_295 * E9),
        (2, 12_345, 123_450_000_000),
        (4, 1, 100_000),
        (8, 10_010_000, 100_100_000),
        (9, 1, 1),
    ],
)
def test_prices_are_exact_in_every_scale(feed: Any, scale: int, price: int, wanted: int) -> None:
    feed.send(say.mapping(scale=scale), say.add(1, "B", 1, price))
    assert feed.market.depth("AAPL", 0) == [(wanted, 1)]


def test_a_mapping_may_move_an_index_to_another_symbol(feed: Any) -> None:
    feed.send(say.mapping(7, b"OLD"), say.mapping(7, b"NEW", scale=2), say.add(1, "B", 1, 100))
    assert feed.row("NEW")["bid"] == E9
    assert feed.row("OLD")["bid"] == 0


def test_says_which_symbols_the_venue_lists(feed: Any) -> None:
    feed.send(say.mapping(1, b"A", exchange=b"N"), say.mapping(2, b"B", exchange=b"P"))
    assert feed.row("A")["flags"] & ROW_LISTED
    assert not feed.row("B")["flags"] & ROW_LISTED


def test_an_execution_of_version_2_3_has_a_number_for_conditions(feed: Any) -> None:
    feed.send(say.mapping(), say.execute(1, 10, 1_800_000, 5, conditions=b"\x01\x99\x02T"))
    assert feed.row()["price"] == 1_800_000 * U


def test_a_successor_knows_the_scales_of_the_rows_that_it_takes_over(
    feed: Any, make_feed: Callable[..., Any]
) -> None:
    feed.send(say.mapping(70_000, b"FAR", scale=6, engine=3), say.mapping(7, b"NEAR", scale=2))
    later = make_feed(mapping=feed.mapping, protocol=Pillar)
    assert later.market.adopt_rows(rebuild=False) == 2
    later.send(
        say.reference(DAY + 9, engine=3),
        say.trade(100, 5_000_000, 1, index=70_000, ns=8),
        say.add(1, "B", 1, 250),
        say.add(2, "B", 1, 250, index=8),
    )
    row = later.row("FAR")
    assert (row["price"], row["exchange_time"]) == (5 * E9, (DAY + 9) * E9 + 8)
    assert later.row("NEAR")["bid"] == 2_500_000_000
    assert later.counter("unknown_symbols") == 1


def test_a_reset_clears_its_own_channel_only(feed: Any) -> None:
    feed.decoder.unit = 1
    feed.send(say.mapping(1, b"ONE"), say.add(1, "B", 1, 10_000, index=1))
    feed.decoder.unit = 2
    feed.send(say.mapping(2, b"TWO"), say.add(2, "B", 1, 10_000, index=2), say.reset())
    assert feed.row("ONE")["bid"] == E9
    assert feed.row("TWO")["bid"] == 0


def test_raw_counts_what_the_conditions_take_away(make_feed: Callable[..., Any]) -> None:
    feed = make_feed(protocol=Pillar, raw=True)
    feed.send(
        say.mapping(),
        say.trade(100, 1_800_000, 1, conditions=b"@ T "),
        say.trade(100, 1_900_000, 2, printed=0),
        say.cancel(1),
        say.correct_cross(9, 5),
    )
    assert (feed.row()["price"], feed.row()["trades"]) == (1_800_000 * U, 1)


def test_crosses_are_official_by_their_type(feed: Any) -> None:
    feed.send(say.mapping(), say.cross(100, 1_700_000, 1, "E"))  # early opening, of extended hours
    assert (feed.row()["extended_price"], feed.row()["price"]) == (1_700_000 * U, 0)
    feed.send(say.cross(100, 1_800_000, 2, "O"), say.cross(100, 1_810_000, 3, "5"))
    feed.send(say.cross(100, 1_820_000, 4, "6"))
    row = feed.row()
    assert (row["open"], row["price"]) == (1_800_000 * U, 1_820_000 * U)
    assert (row["official_open"], row["official_close"]) == (1_800_000 * U, 1_820_000 * U)
    assert row["volume"] == 400


def test_the_mapping_says_the_round_lot(feed: Any) -> None:
    feed.market.follow_tape(lambda _: None, unmarked=True, round_lots=True)
    # By its price it would be one share.
    feed.send(say.mapping(), say.trade(99, 300_000_000, 1))
    assert feed.row()["price"] == 0
    feed.send(say.trade(100, 300_000_000, 2))
    assert feed.row()["price"] == 300_000_000 * U


def test_a_condition_that_no_table_has_is_counted(feed: Any) -> None:
    """It may mean anything, so the trade counts for volume only."""
    feed.send(
        say.mapping(),
        say.trade(100, 1_800_000, 1),
        say.trade(100, 1_900_000, 2, conditions=b"@?  "),
    )
    assert (feed.row()["price"], feed.row()["volume"]) == (1_800_000 * U, 200)
    assert feed.counter("unknown_conditions") == 1


@given(st.lists(st.binary(max_size=60), max_size=30))
def test_any_bytes_are_taken_or_counted(make_feed: Any, blobs: list[bytes]) -> None:
    feed = make_feed(protocol=Pillar)
    feed.send(*blobs)
    known = sum(feed.decoder.message_counts.values())
    assert known + feed.counter("short_messages") + feed.counter("unknown_types") == len(blobs)


@given(st.lists(st.tuples(st.sampled_from(sorted(MESSAGE_LENGTHS)), st.binary(max_size=80))))
def test_any_fields_of_known_types_are_taken(
    make_feed: Any, parts: list[tuple[int, bytes]]
) -> None:
    feed = make_feed(protocol=Pillar)
    feed.send(say.mapping(0, b"ZERO"))
    for kind, blob in parts:
        feed.send(message(kind, f"{len(blob)}s", blob))
        feed.decoder.expect(message(kind, f"{len(blob)}s", blob))
    assert feed.counter("unknown_types") == 0
