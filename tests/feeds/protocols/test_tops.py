"""TOPS 1.6, and what IEX sends alike in TOPS and DEEP: every type, short and long, any bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds.iex.messages import IexProtocol
from ticker.feeds.protocols.deep import Deep
from ticker.feeds.protocols.tops import Tops
from ticker.feeds.sessions.iextp import IexTp

DOLLAR = 10_000
E9 = 1_000_000_000
COMMON = {
    "A": 80,
    "B": 38,
    "D": 31,
    "H": 22,
    "I": 18,
    "O": 18,
    "P": 19,
    "S": 10,
    "T": 38,
    "X": 26,
}
LENGTHS = {Tops: {**COMMON, "Q": 42}, Deep: {**COMMON, "5": 30, "8": 30, "E": 18}}
KINDS = [(protocol, kind) for protocol, kinds in LENGTHS.items() for kind in sorted(kinds)]


@pytest.mark.parametrize("protocol", [Tops, Deep])
def test_knows_every_type(make_feed: Callable[..., Any], protocol: type[IexProtocol]) -> None:
    assert make_feed(protocol=protocol).decoder.message_lengths == LENGTHS[protocol]


@pytest.mark.parametrize(("protocol", "kind"), KINDS)
def test_accepts_longer_messages_and_counts_shorter_ones(
    make_feed: Callable[..., Any], protocol: type[IexProtocol], kind: str
) -> None:
    feed = make_feed(protocol=protocol)
    whole = kind.encode().ljust(10, b"\0").ljust(LENGTHS[protocol][kind], b"A")
    feed.send(whole, whole + b"tail of a later version", whole[:-1], whole[:1])
    assert feed.decoder.message_counts == {kind: 2}
    assert feed.counter("short_messages") == 2
    assert feed.counter("unknown_types") == 0


@pytest.mark.parametrize("protocol", [Tops, Deep])
def test_skips_and_counts_unknown_types(
    iex: Any, make_feed: Callable[..., Any], protocol: type
) -> None:
    feed = make_feed(protocol=protocol)
    quote = iex.quote("AAPL", 1, 1, 2, 1)
    level = iex.level("B", "AAPL", 1, 1)
    feed.send(b"Z" * 50, b"", level if protocol is Tops else quote)
    assert feed.counter("unknown_types") == 2
    assert feed.counter("short_messages") == 1
    assert len(feed.table) == 0


@pytest.mark.parametrize(
    ("flags", "counts", "sets_last"),
    [(0x00, True, True), (0x80, True, True), (0x10, True, True), (0x08, True, True),
     (0x18, True, True), (0x20, True, False), (0x40, True, False), (0xE0, True, False)],
)  # fmt: skip
def test_sale_flags_say_which_trades_set_the_last_price(
    iex: Any, make_feed: Callable[..., Any], flags: int, counts: bool, sets_last: bool
) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.trade("AAPL", 100, DOLLAR, 1, time=1))
    feed.send(iex.trade("AAPL", 50, 2 * DOLLAR, 2, time=2, flags=flags))
    row = feed.row()
    assert (row["volume"], row["trades"]) == ((150, 2) if counts else (100, 1))
    assert (row["price"], row["high"]) == ((2 * E9, 2 * E9) if sets_last else (E9, E9))


def test_raw_counts_every_trade(iex: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed(protocol=Tops, raw=True)
    feed.send(iex.trade("AAPL", 7, DOLLAR, 1, flags=0xE0), iex.broken("AAPL", 7, DOLLAR, 1))
    assert (feed.row()["price"], feed.row()["volume"]) == (E9, 7)


def test_a_broken_trade_is_taken_back(iex: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(
        iex.trade("AAPL", 100, DOLLAR, 1, time=1), iex.trade("AAPL", 50, 3 * DOLLAR, 2, time=2)
    )
    feed.send(iex.broken("AAPL", 50, 3 * DOLLAR, 2, time=3))
    row = feed.row()
    assert (row["price"], row["size"], row["volume"]) == (E9, 100, 100)
    assert (row["high"], row["trades"], row["corrections"]) == (E9, 1, 1)
    feed.send(iex.broken("AAPL", 50, 3 * DOLLAR, 2), iex.broken("AAPL", 5, DOLLAR, 99))
    assert feed.counter("breaks_unmatched") == 2


def test_an_official_price_is_no_trade(iex: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.trade("AAPL", 100, DOLLAR, 1))
    before = feed.row()
    feed.send(iex.official("AAPL", "Q", 5 * DOLLAR), iex.official("AAPL", "M", 6 * DOLLAR))
    row = feed.row()
    sale = ("price", "size", "exchange_time", "high", "low", "volume", "trades", "seq")
    assert [row[name] for name in sale] == [before[name] for name in sale]
    assert (row["open"], row["official_open"]) == (5 * E9, 5 * E9)
    assert (row["official_close"], row["regular_price"]) == (6 * E9, before["price"])


def test_the_security_directory(iex: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.security("ZIEXT", close=10 * DOLLAR, flags=0x80))
    feed.send(iex.security("SPY", close=500 * DOLLAR, flags=0x20))
    assert feed.row("ZIEXT")["flags"] & 2 == 2
    assert feed.row("SPY")["flags"] & 2 == 0
    assert feed.row("ZIEXT")["previous_close"] == 10 * E9
    assert feed.row("SPY")["previous_close"] == 500 * E9
    feed.send(iex.security("SPY", close=0))
    assert feed.row("SPY")["previous_close"] == 500 * E9


@pytest.mark.parametrize(("code", "status"), [("T", 1), ("H", 2), ("P", 3), ("O", 4), ("?", 0)])
def test_trading_states(iex: Any, make_feed: Callable[..., Any], code: str, status: int) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.status("AAPL", "T"))
    feed.send(iex.status("AAPL", code, reason="T1"))
    assert feed.row()["status"] == status


def test_a_regulatory_halt_outlasts_an_operational_one(
    iex: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.halt("AAPL", "N"))
    assert feed.row()["status"] == 0
    feed.send(iex.status("AAPL", "T"), iex.halt("AAPL", "O"))
    assert feed.row()["status"] == 2
    feed.send(iex.status("AAPL", "P"))
    assert feed.row()["status"] == 2
    feed.send(iex.halt("AAPL", "N"))
    assert feed.row()["status"] == 3


def test_the_end_of_a_halt_that_a_predecessor_saw(iex: Any, make_feed: Callable[..., Any]) -> None:
    first = make_feed(protocol=Tops)
    first.send(iex.halt("AAPL", "O"))
    second = make_feed(first.mapping, protocol=Tops)
    second.market.adopt_rows(rebuild=False)
    second.send(iex.halt("AAPL", "N"))
    assert second.row()["status"] == 1


@pytest.mark.parametrize("event", ["E", "C"])
def test_the_end_of_system_hours_closes_everything(
    iex: Any, make_feed: Callable[..., Any], event: str
) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.status("AAPL", "T"), iex.status("MSFT", "T"))
    for early in "SRM":
        feed.send(iex.system(early))
    assert feed.row("AAPL")["status"] == 1
    feed.send(iex.system(event))
    assert feed.row("AAPL")["status"] == feed.row("MSFT")["status"] == 5


def test_a_new_session_starts_with_empty_books_and_new_trade_ids(
    iex: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.quote("AAPL", 1, DOLLAR, 2 * DOLLAR, 3), iex.trade("AAPL", 9, DOLLAR, 7))
    feed.send(iex.system("O"))
    assert (feed.row()["bid"], feed.row()["ask"], feed.row()["price"]) == (0, 0, E9)
    feed.send(iex.trade("AAPL", 9, DOLLAR, 7, time=1))
    assert feed.counter("rejected_duplicate") == 0


@pytest.mark.parametrize(
    ("bid", "ask"), [(-1, 5), (5, -(2**63)), (2**63 - 1, 5), (5, 2**63 // 100_000 + 1)]
)
def test_a_quote_that_cannot_be_is_counted(
    iex: Any, make_feed: Callable[..., Any], bid: int, ask: int
) -> None:
    feed = make_feed(protocol=Tops)
    feed.send(iex.quote("AAPL", 1, DOLLAR, 2 * DOLLAR, 1))
    feed.send(iex.quote("AAPL", 1, bid, ask, 1))
    assert feed.counter("bad_orders") == 1
    assert feed.row()["bid"] == E9


@pytest.mark.parametrize("symbol", ["        ", "AA\0PL", "AA PL", " AAPL", "\xe9"])
def test_symbols_that_cannot_be_are_refused(
    iex: Any, make_feed: Callable[..., Any], symbol: str
) -> None:
    feed = make_feed(protocol=Tops)
    raw = iex.trade("AAPL", 5, DOLLAR, 1)
    feed.send(raw.replace(b"AAPL    ", symbol.encode("latin-1").ljust(8)))
    assert len(feed.table) == 0
    assert feed.counter("unknown_symbols") == 1


def test_a_full_table_is_counted_and_the_feed_goes_on(
    iex: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(protocol=Tops)
    for number in range(100):
        feed.send(iex.trade(f"S{number}", 5, DOLLAR, 1), iex.trade(f"S{number}", 5, DOLLAR, 2))
    assert len(feed.table) == 64
    assert feed.counter("table_full") == 36
    assert feed.counter("unknown_symbols") == 72
    assert feed.row("S63")["trades"] == 2


def messages_of(protocol: type[IexProtocol]) -> st.SearchStrategy[bytes]:
    """Any bytes, and bytes that look like each of the protocol's messages."""
    return st.one_of(
        st.binary(max_size=90),
        st.builds(
            lambda kind, rest: kind.encode() + rest,
            st.sampled_from(sorted(LENGTHS[protocol])),
            st.binary(min_size=9, max_size=85),
        ),
        st.builds(
            lambda kind, flags, rest: kind.encode() + flags + bytes(8) + b"AAPL    " + rest,
            st.sampled_from(sorted(LENGTHS[protocol])),
            st.binary(min_size=1, max_size=1),
            st.binary(min_size=20, max_size=64),
        ),
    )


@pytest.mark.parametrize("protocol", [Tops, Deep])
@given(data=st.data(), raw=st.booleans())
def test_any_bytes_give_counts_and_never_a_crash(
    make_feed: Callable[..., Any], protocol: type[IexProtocol], data: st.DataObject, raw: bool
) -> None:
    feed = make_feed(protocol=protocol, raw=raw)
    stream = data.draw(st.lists(messages_of(protocol), max_size=60))
    for message in stream:
        feed.decoder.expect(message)
        feed.send(message)
    counted = feed.counter("short_messages") + feed.counter("unknown_types")
    assert counted + sum(feed.decoder.message_counts.values()) == len(stream)


@pytest.mark.parametrize("protocol", [Tops, Deep])
@given(datagrams=st.lists(st.binary(max_size=300), max_size=20))
def test_a_random_datagram_changes_no_price(
    iex: Any, make_feed: Callable[..., Any], protocol: type[IexProtocol], datagrams: list[bytes]
) -> None:
    feed = make_feed(protocol=protocol)
    session = IexTp(feed.decoder, feed.mapping)
    number = 0x8003 if protocol is Tops else 0x8004
    session.receive_data(iex.segment(1, iex.trade("AAPL", 1, DOLLAR, 1), protocol=number))
    feed.market.publish(1)
    before = feed.row()
    for datagram in datagrams:
        session.receive_data(datagram, 0, 2)
    feed.market.publish(2)
    assert feed.row() == before
    assert len(feed.table) == 1
