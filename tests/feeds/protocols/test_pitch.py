"""Cboe PITCH: every type, short and long, unknown; samples; any bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.protocols.pitch_messages import CENT, E9, TRADING, Feed, say
from ticker.feeds.protocols.pitch import MESSAGE_LENGTHS

CASES = Path(__file__).parents[2] / "data" / "pitch"


def test_knows_every_type_of_the_specification() -> None:
    assert MESSAGE_LENGTHS == {
        0x20: 6, 0x21: 34, 0x22: 26, 0x23: 26, 0x24: 38, 0x25: 18, 0x26: 16, 0x27: 27,
        0x28: 19, 0x29: 14, 0x2A: 41, 0x2B: 33, 0x2C: 14, 0x2D: 6, 0x2E: 38, 0x2F: 41,
        0x30: 43, 0x31: 18, 0x95: 47, 0x96: 27, 0x97: 6, 0x98: 15,
    }  # fmt: skip


def test_the_test_speaks_it_too() -> None:
    spoken = [
        say.time(1), say.add_long(1, "B", 1, 1, "A"), say.add(1, "B", 1, 1),
        say.execute(1, 1, 1), say.execute_at(1, 1, 1, 1, 1), say.reduce_long(1, 1),
        say.reduce(1, 1), say.modify_long(1, 1, 1), say.modify(1, 1, 1), say.delete(1),
        say.trade_long(1, 1, 1), say.trade(1, 1, 1), say.broken(1), say.end(),
        say.add_expanded(1, "B", 1, 1, "A"), say.trade_expanded(1, 1, 1, "A"),
        say.status("A", "T"), say.auction_update("A"), say.auction_summary("A", 1, 1),
        say.unit_clear(), say.retail("A"),
    ]  # fmt: skip
    for each in spoken:
        assert len(each) == each[0] == MESSAGE_LENGTHS[each[1]]


@pytest.mark.parametrize("kind", sorted(MESSAGE_LENGTHS))
def test_accepts_longer_messages_and_counts_shorter_ones(kind: int) -> None:
    feed = Feed()
    length = MESSAGE_LENGTHS[kind]
    whole = bytes([length, kind]) + b"A" * (length - 2)
    feed.send(whole, whole + b"tail of a later version", whole[:-1], whole[:1], b"")
    assert feed.decoder.message_counts == {kind: 2}
    assert feed["short_messages"] == 3
    assert feed["unknown_types"] == 0


def test_skips_and_counts_unknown_types() -> None:
    feed = Feed()
    feed.send(b"\x06\x99abcd", b"\x06\x00abcd", b"\x22\x32" + b"A" * 32)
    assert feed["unknown_types"] == 3
    assert len(feed.table) == 0


def test_orders_short_long_and_expanded() -> None:
    feed = Feed()
    feed.send(
        say.add(1, "B", 100, 2_000),
        say.add_long(2, "B", 70_000, 199_950, "AAPL"),
        say.add_expanded(3, "S", 5, 200_025, "AAPL"),
        say.add_expanded(4, "S", 5, 200_025, "ABCD.PRA"),
    )
    assert feed.bids() == [(20 * E9, 100), (19_995 * E9 // 1000, 70_000)]
    assert feed.asks() == [(200_025 * 100_000, 5)]
    assert feed.asks("ABCD.PRA") == [(200_025 * 100_000, 5)]
    assert feed.row()["bid"] == 20 * E9
    assert len(feed.table) == 2


def test_modify_reduce_and_delete() -> None:
    feed = Feed()
    feed.send(say.add(1, "B", 100, 2_000), say.modify(1, 300, 1_999))
    assert feed.bids() == [(1_999 * CENT, 300)]
    feed.send(say.modify_long(1, 80_000, 25))
    assert feed.bids() == [(2_500_000, 80_000)]
    feed.send(say.reduce_long(1, 79_000), say.reduce(1, 400))
    assert feed.bids() == [(2_500_000, 600)]
    feed.send(say.reduce(1, 600))
    assert feed.bids() == []
    feed.send(say.add(1, "S", 100, 2_000), say.delete(1), say.delete(1))
    assert feed.asks() == []
    assert feed["unknown_orders"] == 1


def test_an_execution_has_the_orders_price_of_now() -> None:
    feed = Feed()
    feed.send(say.add(1, "B", 100, 2_000), say.modify(1, 100, 2_001), say.execute(1, 40, 7))
    row = feed.row()
    assert (row["price"], row["size"], row["volume"]) == (2_001 * CENT, 40, 40)
    assert feed.bids() == [(2_001 * CENT, 60)]


def test_execution_at_another_price_says_what_remains() -> None:
    feed = Feed()
    feed.send(say.add(1, "B", 100, 2_000), say.execute_at(1, 50, 20, 7, 200_050))
    row = feed.row()
    assert (row["price"], row["size"]) == (200_050 * 100_000, 50)
    assert feed.bids() == [(20 * E9, 20)]
    feed.send(say.execute_at(1, 20, 0, 8, 200_050))
    assert feed.bids() == []
    assert feed.row()["volume"] == 70


def test_trades_and_breaks_by_execution_id() -> None:
    feed = Feed()
    feed.send(
        say.add(1, "B", 100, 2_000),
        say.trade(10, 2_001, 100),
        say.trade_long(20, 200_225, 101),
        say.trade_expanded(30, 200_325, 102, "AAPL"),
        say.execute(1, 40, 103),
    )
    row = feed.row()
    assert (row["price"], row["volume"], row["trades"]) == (20 * E9, 100, 4)
    assert row["high"] == 200_325 * 100_000
    feed.send(say.broken(103), say.broken(102), say.broken(999))
    row = feed.row()
    assert (row["price"], row["volume"], row["trades"]) == (200_225 * 100_000, 30, 2)
    assert row["high"] == 200_225 * 100_000
    assert (feed["breaks"], feed["breaks_unmatched"]) == (2, 1)


def test_a_routed_execution_is_another_venues_print() -> None:
    feed, raw = Feed(), Feed(raw=True)
    routed = int("R00000001", 36)
    for each in (feed, raw):
        each.send(say.trade(10, 2_001, int("C00000001", 36)), say.trade(10, 2_002, routed))
    assert feed.row()["volume"] == 10
    assert feed.row()["price"] == 2_001 * CENT
    assert raw.row()["volume"] == 20


def test_an_auctions_summary_is_not_counted_again() -> None:
    feed = Feed()
    feed.send(say.auction_update("AAPL"), say.trade(10, 2_001, 9), say.retail("AAPL"))
    feed.send(say.auction_summary("AAPL", 200_100, 10))
    assert feed.row()["volume"] == 10
    assert feed.decoder.message_counts[0x96] == 1


def test_an_auctions_summary_says_the_official_price() -> None:
    feed = Feed()
    feed.market.follow_tape(lambda _: (999 * E9, 1_000 * E9), unmarked=True, round_lots=True)
    auction = int("C00000001", 36)
    feed.send(say.time(1_000), say.trade(200, 2_001, auction), say.trade(100, 2_002, 9))
    # The auction is of regular hours though it is late; the other trade is not.
    row = feed.row()
    assert (row["price"], row["extended_price"]) == (2_001 * CENT, 2_002 * CENT)
    assert (row["official_close"], row["volume"]) == (0, 300)
    feed.send(say.auction_summary("AAPL", 200_100, 200, "C"))
    feed.send(say.auction_summary("AAPL", 190_000, 200, "O"))
    # After a halt, and one in which nothing was crossed.
    feed.send(say.auction_summary("AAPL", 1, 1, "H"), say.auction_summary("AAPL", 5, 0))
    row = feed.row()
    assert (row["official_close"], row["open"]) == (2_001 * CENT, 1_900 * CENT)
    assert (row["price"], row["volume"], row["seq"]) == (2_001 * CENT, 300, 2)


@pytest.mark.parametrize(
    ("state", "status"), [("T", 1), ("H", 2), ("S", 2), ("Q", 4), ("A", 4), ("?", 0)]
)
def test_trading_status(state: str, status: int) -> None:
    feed = Feed()
    feed.send(say.status("AAPL", "T" if status != TRADING else "H"), say.status("AAPL", state))
    assert feed.row()["status"] == status


def test_a_unit_clear_is_of_its_own_unit() -> None:
    feed = Feed()
    feed.send(say.add(1, "B", 100, 2_000), say.add(2, "S", 100, 2_001))
    feed.send(say.add(3, "B", 100, 3_000, "MSFT"), unit=2)
    feed.send(say.unit_clear())
    assert (feed.bids(), feed.asks(), feed.row()["bid"]) == ([], [], 0)
    assert feed.bids("MSFT") == [(30 * E9, 100)]
    feed.send(say.delete(1), say.add(1, "B", 50, 1_000))
    assert feed["unknown_orders"] == 1
    assert feed.bids() == [(10 * E9, 50)]


def test_the_end_of_session_is_of_its_own_unit() -> None:
    feed = Feed()
    feed.send(say.status("AAPL", "T"))
    feed.send(say.status("MSFT", "T"), say.end(), unit=2)
    assert (feed.row("AAPL")["status"], feed.row("MSFT")["status"]) == (1, 5)


def test_each_unit_has_its_own_seconds() -> None:
    feed = Feed()
    feed.decoder.midnight_ns = 1_700_000_000 * E9
    feed.send(say.time(34_200))
    feed.send(say.time(40_000), unit=2)
    feed.send(say.add(1, "B", 100, 2_000), say.execute(1, 1, 1, offset=3))
    assert feed.row()["exchange_time"] == 1_700_034_200 * E9 + 3
    feed.send(say.trade(1, 2_000, 2, "MSFT"), unit=2)
    assert feed.row("MSFT")["exchange_time"] == 1_700_040_000 * E9 + 5
    feed.send(say.time(2**32 - 1), say.trade(1, 2_000, 3))
    assert feed.row()["exchange_time"] == 1_700_034_200 * E9 + 5


def test_before_the_first_time_message_the_second_is_that_of_receipt() -> None:
    feed = Feed()
    feed.now = 1_700_000_007 * E9 + 10
    feed.send(say.trade(1, 2_000, 2))
    assert feed.row()["exchange_time"] == 1_700_000_007 * E9 + 5


def test_garbage_prices_and_symbols_are_counted() -> None:
    feed = Feed()
    feed.send(
        say.add_long(1, "B", 1, 2**63, "AAPL"),
        say.trade_long(1, 2**64 - 1, 5),
        say.trade(1, 2_000, 6, "A\0B"),
        say.trade(1, 2_000, 7, "      "),
    )
    assert (feed["bad_orders"], feed["rejected_bad_price"], feed["unknown_symbols"]) == (1, 1, 2)
    feed.send(say.add(2, "B", 1, 100), say.modify_long(2, 1, 2**63))
    assert feed["bad_orders"] == 2
    assert feed.bids() == [(E9, 1)]


def read_case(path: Path) -> list[bytes]:
    data = path.read_bytes()
    found = []
    while data:
        found.append(data[: data[0]])
        data = data[data[0] :]
    return found


@pytest.mark.parametrize("case", sorted(CASES.glob("*.bin")), ids=lambda path: path.stem)
def test_case(case: Path) -> None:
    expected = json.loads(case.with_suffix(".json").read_text())
    feed = Feed()
    feed.send(*read_case(case))
    for symbol, wanted in expected["rows"].items():
        row = feed.row(symbol)
        assert {key: row[key] for key in wanted} == wanted
    assert {key: feed[key] for key in expected["counters"]} == expected["counters"]
    for symbol, (bids, asks) in expected.get("depth", {}).items():
        assert [list(level) for level in feed.bids(symbol)] == bids
        assert [list(level) for level in feed.asks(symbol)] == asks


def test_there_are_cases() -> None:
    assert len(list(CASES.glob("*.bin"))) >= 8


any_message = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, rest: bytes([2 + len(rest), kind]) + rest,
        st.sampled_from(sorted(MESSAGE_LENGTHS)),
        st.binary(min_size=4, max_size=60),
    ),
    st.builds(
        lambda kind, order, rest: bytes([60, kind, 0, 0, 0, 0, order]) + bytes(7) + rest,
        st.sampled_from([0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29]),
        st.integers(0, 3),
        st.builds(lambda side, rest: side + rest, st.sampled_from([b"B", b"S"]),
                  st.binary(min_size=45, max_size=45)),
    ),
)  # fmt: skip


@given(st.lists(st.tuples(any_message, st.integers(0, 255)), max_size=60), st.booleans())
def test_any_bytes_give_counts_and_never_a_crash(
    stream: list[tuple[bytes, int]], raw: bool
) -> None:
    feed = Feed(raw=raw)
    for data, unit in stream:
        feed.decoder.expect(data)
        feed.send(data, unit=unit)
    counted = feed["short_messages"] + feed["unknown_types"]
    assert counted + sum(feed.decoder.message_counts.values()) == len(stream)
