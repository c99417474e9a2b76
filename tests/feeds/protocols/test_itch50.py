"""ITCH 5.0: every type, short and long, unknown, and any bytes at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds.protocols.itch50 import MESSAGE_LENGTHS, Itch50

AAPL = 13
DOLLAR = 10_000
E9 = 1_000_000_000


def test_knows_every_type_of_the_specification() -> None:
    assert {kind: MESSAGE_LENGTHS[kind] for kind in sorted(MESSAGE_LENGTHS)} == {
        "A": 36,
        "B": 19,
        "C": 36,
        "D": 19,
        "E": 31,
        "F": 40,
        "H": 25,
        "I": 50,
        "J": 35,
        "K": 28,
        "L": 26,
        "N": 20,
        "O": 48,
        "P": 44,
        "Q": 40,
        "R": 39,
        "S": 12,
        "U": 35,
        "V": 35,
        "W": 12,
        "X": 23,
        "Y": 20,
        "h": 21,
    }


@pytest.mark.parametrize("kind", sorted(MESSAGE_LENGTHS))
def test_accepts_longer_messages_and_counts_shorter_ones(
    make_feed: Callable[..., Any], kind: str
) -> None:
    feed = make_feed()
    whole = kind.encode().ljust(11, b"\0") + b"A" * (MESSAGE_LENGTHS[kind] - 11)
    feed.send(whole, whole + b"tail of a later version", whole[:-1], whole[:1])
    assert feed.decoder.message_counts == {kind: 2}
    assert feed.counter("short_messages") == 2
    assert feed.counter("unknown_types") == 0


def test_skips_and_counts_unknown_types_and_empty_messages(make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(b"Z" * 50, b"z", b"\0" * 11, b"")
    assert feed.counter("unknown_types") == 3
    assert feed.counter("short_messages") == 1
    assert len(feed.table) == 0


def test_times_are_ns_since_the_session_midnight(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.decoder.midnight_ns = 1_580_360_400 * E9
    feed.send(itch.trade(AAPL, 100, 320 * DOLLAR, 7, time=34_200 * E9 + 5))
    assert feed.row()["exchange_time"] == (1_580_360_400 + 34_200) * E9 + 5


@pytest.mark.parametrize(("state", "status"), [("T", 1), ("H", 2), ("P", 3), ("Q", 4), ("?", 0)])
def test_trading_states(itch: Any, make_feed: Callable[..., Any], state: str, status: int) -> None:
    feed = make_feed()
    feed.send(itch.directory(AAPL, "AAPL"), itch.action(AAPL, "AAPL", "T"))
    feed.send(itch.action(AAPL, "AAPL", state))
    assert feed.row()["status"] == status


def test_a_regulatory_halt_outlasts_an_operational_one(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.directory(AAPL, "AAPL"), itch.action(AAPL, "AAPL", "T"))
    feed.send(itch.halt(AAPL, "AAPL", "Q", "H"))
    assert feed.row()["status"] == 2
    feed.send(itch.action(AAPL, "AAPL", "P"))
    assert feed.row()["status"] == 2
    feed.send(itch.halt(AAPL, "AAPL", "Q", "T"))
    assert feed.row()["status"] == 3


@pytest.mark.parametrize(("venue", "market"), [("XNAS", "Q"), ("XBOS", "B"), ("XPSX", "X")])
def test_operational_halts_of_other_markets_do_not_concern_us(
    itch: Any, make_feed: Callable[..., Any], venue: str, market: str
) -> None:
    feed = make_feed(venue=venue)
    feed.send(itch.action(AAPL, "AAPL", "T"))
    for other in "QBX":
        feed.send(itch.halt(AAPL, "AAPL", other, "H"))
        assert feed.row()["status"] == (2 if other == market else 1)
        feed.send(itch.halt(AAPL, "AAPL", other, "T"))
        assert feed.row()["status"] == 1


@pytest.mark.parametrize("code", ["E", "C"])
def test_the_end_of_the_day_closes_everything(
    itch: Any, make_feed: Callable[..., Any], code: str
) -> None:
    feed = make_feed()
    feed.send(itch.action(1, "AAPL", "T"), itch.action(2, "MSFT", "T"))
    feed.send(itch.system("M"))
    assert feed.row("AAPL")["status"] == 1
    feed.send(itch.system(code))
    assert feed.row("AAPL")["status"] == feed.row("MSFT")["status"] == 5


def test_an_instrument_is_known_by_its_first_message_with_a_symbol(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.add(AAPL, 1, "B", 100, 320 * DOLLAR))
    feed.send(itch.trade(14, 5, 10 * DOLLAR, 1, symbol="MSFT"))
    assert feed.row("AAPL")["bid"] == 320 * E9
    assert feed.row("MSFT")["price"] == 10 * E9


@pytest.mark.parametrize("symbol", ["        ", "AA\0PL   ", "AA PL   ", "\xc3\xa9      "])
def test_symbols_that_cannot_be_are_refused(
    itch: Any, make_feed: Callable[..., Any], symbol: str
) -> None:
    feed = make_feed()
    raw = itch.trade(AAPL, 5, DOLLAR, 1, symbol="AAPL")
    feed.send(raw.replace(b"AAPL    ", symbol.encode("latin-1")))
    assert len(feed.table) == 0
    assert feed.counter("unknown_symbols") == 1


def test_a_full_table_is_counted_and_the_feed_goes_on(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    for locate in range(100):
        feed.send(itch.trade(locate, 5, DOLLAR, locate + 1, symbol=f"S{locate}"))
        feed.send(itch.trade(locate, 5, 2 * DOLLAR, locate + 1000, symbol=f"S{locate}"))
    assert len(feed.table) == 64
    assert feed.counter("table_full") == 36
    assert feed.counter("unknown_symbols") == 72
    assert feed.row("S63")["price"] == 2 * E9


def test_a_locate_that_changes_its_symbol(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.directory(1, "AAPL"), itch.directory(2, "MSFT"))
    feed.send(itch.directory(1, "MSFT"), itch.directory(2, "AAPL"))
    feed.send(itch.trade(1, 5, DOLLAR, 1, symbol="MSFT"))
    assert len(feed.table) == 2
    assert feed.row("MSFT")["price"] == E9
    assert feed.row("AAPL")["price"] == 0
    assert {feed.table.symbol(row): feed.table.instrument_key(row) for row in range(2)} == {
        "AAPL": 2,
        "MSFT": 1,
    }


messages = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, rest: kind.encode() + rest,
        st.sampled_from(sorted(MESSAGE_LENGTHS)),
        st.binary(min_size=10, max_size=55),
    ),
    st.builds(
        lambda kind, rest: kind.encode() + b"\0\1" + bytes(8) + bytes(7) + rest,
        st.sampled_from("AFECXDUPQB"),
        st.binary(min_size=25, max_size=40),
    ),
)


@given(st.lists(messages, max_size=60), st.booleans())
def test_any_bytes_give_counts_and_never_a_crash(
    make_feed: Callable[..., Any], stream: list[bytes], raw: bool
) -> None:
    feed = make_feed(raw=raw)
    for message in stream:
        feed.decoder.expect(message)
        feed.send(message)
    counted = feed.counter("short_messages") + feed.counter("unknown_types")
    assert counted + sum(feed.decoder.message_counts.values()) == len(stream)
    assert isinstance(feed.decoder, Itch50)
