"""The filter: duplicates, its memory, and unknown symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.feeds.market.ruled import NANO_DOLLAR, Ruled
from tests.feeds.sessions.xdp_messages import say
from ticker.config.filter import FilterConfig
from ticker.feeds.protocols.fix import FixMarketData
from ticker.feeds.protocols.json import Json
from ticker.feeds.protocols.pillar import Pillar
from ticker.feeds.protocols.tops import Tops
from ticker.feeds.workers.mappings import load_mapping
from ticker.shm.rejects import RULES
from ticker.shm.segment import Geometry

DOLLAR = 10_000


def rejected(feed: Any) -> dict[str, int]:
    return {reason: feed.counter(f"rejected_{reason}") for reason in RULES}


def test_reasons_have_counters(make_feed: Callable[..., Any]) -> None:
    assert rejected(make_feed()) == dict.fromkeys(
        (
            "duplicate",
            "bad_price",
            "bad_size",
            "older",
            "unconfirmed_jump",
            "clock_skew",
            "unknown_symbol",
            "test_symbol",
            "wrong_session",
            "too_old_to_tell",
        ),
        0,
    )


def test_a_match_number_counts_once_per_instrument(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(
        itch.trade(1, 5, DOLLAR, 7, symbol="AAPL"),
        itch.trade(2, 5, DOLLAR, 7, symbol="MSFT"),
        itch.trade(1, 5, DOLLAR, 7, symbol="AAPL"),
    )
    assert feed.row("AAPL")["trades"] == feed.row("MSFT")["trades"] == 1
    assert rejected(feed)["duplicate"] == 1


def test_no_match_number_is_never_a_duplicate(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 5, DOLLAR, 0), itch.trade(1, 5, DOLLAR, 0))
    assert feed.row()["trades"] == 2


def test_a_trade_that_does_not_print_is_no_duplicate_of_its_cross(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(
        itch.add(1, 1, "B", 10, DOLLAR),
        itch.execute_at(1, 1, 10, 7, DOLLAR, printable=False),
        itch.cross(1, 10, DOLLAR, 7),
    )
    assert feed.row()["trades"] == 1


def test_the_greatest_price_is_the_protocols_own(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 1, 200_000 * DOLLAR, 1), itch.trade(1, 1, 200_000 * DOLLAR + 1, 2))
    assert feed.row()["trades"] == 1
    other = make_feed(max_price=10**9)
    other.send(itch.trade(1, 1, DOLLAR, 1), itch.trade(1, 1, DOLLAR + 1, 2))
    assert rejected(other)["bad_price"] == 1


def test_same_time_is_not_older(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(*(itch.trade(1, 1, DOLLAR, n + 1, time=t) for n, t in enumerate((5, 5, 4, 6))))
    assert rejected(feed)["older"] == 1
    assert feed.row()["trades"] == 4


def test_a_late_trade_is_no_last_sale_and_counts_for_all_else(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 100, DOLLAR, 1, time=9), itch.trade(1, 300, 2 * DOLLAR, 2, time=7))
    feed.send(itch.trade(1, 500, DOLLAR // 2, 3, time=8))
    row = feed.row()
    assert (row["price"], row["size"], row["exchange_time"]) == (10**9, 100, 9)
    assert (row["volume"], row["trades"], row["open"]) == (900, 3, 10**9)
    assert (row["high"], row["low"]) == (2 * 10**9, 5 * 10**8)
    assert rejected(feed)["older"] == 2
    # Without the newest, the newest by time of those that are left is the last sale.
    feed.send(itch.broken(1, 1, time=10))
    row = feed.row()
    assert (row["price"], row["size"], row["exchange_time"]) == (5 * 10**8, 500, 8)
    assert (row["volume"], row["trades"], row["open"]) == (800, 2, 2 * 10**9)


def test_without_the_rule_each_trade_becomes_the_last_sale(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed(rules=FilterConfig(max_ahead=0, older=False))
    feed.send(itch.trade(1, 1, DOLLAR, 1, time=9), itch.trade(1, 2, DOLLAR, 2, time=8))
    assert (feed.row()["size"], feed.row()["exchange_time"]) == (2, 8)
    assert rejected(feed)["older"] == 0


def test_the_book_believes_an_execution_that_the_filter_does_not(
    itch: Any, make_feed: Callable[..., Any]
) -> None:
    feed = make_feed()
    feed.send(itch.trade(1, 1, DOLLAR, 1, time=9), itch.add(1, 1, "B", 10, DOLLAR, time=9))
    feed.send(itch.execute(1, 1, 4, 1, time=9))
    assert rejected(feed)["duplicate"] == 1
    assert feed.row()["bid_size"] == 6
    assert feed.row()["trades"] == 1


def test_keeps_the_last_hundred_of_each_reason(itch: Any, make_feed: Callable[..., Any]) -> None:
    feed = make_feed()
    feed.send(*(itch.trade(1, 0, DOLLAR, 1, time=n) for n in range(250)))
    feed.send(itch.trade(1, 1, 0, 1, time=1))
    kept = feed.market.rejects()
    assert [reject.exchange_time for reject in kept if reject.rule == "bad_size"] == list(
        range(150, 250)
    )
    assert len(kept) == 101
    assert rejected(feed) == dict.fromkeys(RULES, 0) | {"bad_price": 1, "bad_size": 250}


def test_unknown_symbols_are_told_by_what_the_feed_called_them(
    make_feed: Callable[..., Any],
) -> None:
    a = Ruled(make_feed(rules=FilterConfig(max_ahead=0)))
    a.calls.refuse_unknown("NOSUCH", 5 * NANO_DOLLAR, 7, 3, 10, 11)
    (reject,) = a.feed.market.rejects()
    assert reject[:6] == ("unknown_symbol", "NOSUCH", 5 * NANO_DOLLAR, 7, 10, 11)
    assert a.feed.counter("rejected_unknown_symbol") == 1


def test_decoders_tell_of_trades_in_what_has_no_room(
    itch: Any, iex: Any, make_feed: Callable[..., Any]
) -> None:
    small = Geometry(rows=1, rings=1, ring_capacity=8)
    feed = make_feed(geometry=small)
    feed.send(itch.trade(1, 5, DOLLAR, 7, symbol="AAPL"))
    feed.send(itch.trade(2, 6, DOLLAR, 8, symbol="MSFT", time=3))
    assert [each[:5] for each in feed.market.rejects()] == [
        ("unknown_symbol", "MSFT", NANO_DOLLAR, 6, 3)
    ]
    feed = make_feed(geometry=small, protocol=Tops)
    feed.send(iex.trade("AAPL", 5, DOLLAR, 7), iex.trade("MSFT", 6, DOLLAR, 8, time=3))
    assert [each[:5] for each in feed.market.rejects()] == [
        ("unknown_symbol", "MSFT", NANO_DOLLAR, 6, 3)
    ]
    plain = load_mapping("plain")
    feed = make_feed(geometry=small, protocol=lambda market: Json(market, mapping=plain))
    feed.send(*(b'{"sym":"%b","px":1.5,"ts":1701432000000}' % name for name in (b"AAPL", b"MSFT")))
    (reject,) = feed.market.rejects()
    assert reject[:3] == ("unknown_symbol", "MSFT", 1_500_000_000)
    feed = make_feed(geometry=small, protocol=FixMarketData)
    entries = (
        b"35=X|268=2",
        b"279=0|269=2|55=AAPL|270=1|271=7",
        b"279=0|269=2|55=MSFT|270=1|271=6",
    )
    feed.send(b"|".join((*entries, b"")).replace(b"|", b"\x01"))
    (reject,) = feed.market.rejects()
    assert reject[:4] == ("unknown_symbol", "MSFT", NANO_DOLLAR, 6)


def test_trades_of_symbols_that_cannot_be_are_told_in_fix(make_feed: Callable[..., Any]) -> None:
    feed = make_feed(protocol=FixMarketData)
    for text in (
        b"35=W|55=A B|268=2|269=2|270=1.5|271=6|269=0|270=1|271=2|",
        b"35=X|268=1|279=0|269=2|270=1.5|271=7|",
        b"35=X|268=1|279=2|269=2|55=A B|270=1.5|271=7|",
        b"35=X|268=1|279=1|269=2|55=A B|270=1.5|271=7|",
    ):
        feed.send(text.replace(b"|", b"\x01"))
    assert [each[:4] for each in feed.market.rejects()] == [
        ("unknown_symbol", "A B", 1_500_000_000, 6),
        ("unknown_symbol", "", 1_500_000_000, 7),
    ]
    assert feed.counter("unknown_symbols") == 5


def test_trades_of_indices_that_nothing_has_named_are_told_in_pillar(
    make_feed: Callable[..., Any],
) -> None:
    feed = make_feed(protocol=Pillar)
    feed.send(say.execute(1, 5, 100, 3, index=9), say.trade(6, 100, 4, index=4294967295))
    feed.send(say.execute(1, 5, 100, 4, index=9, printed=0))
    assert [each[1:5] for each in feed.market.rejects()] == [
        ("#9", 0, 5, 5),
        ("#4294967295", 0, 6, 5),
    ]
    assert feed.counter("rejected_unknown_symbol") == 2
    assert feed.counter("unknown_symbols") == 3
