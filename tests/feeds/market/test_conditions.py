"""Sale conditions: the consolidated tapes' rules, and what a market makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds import calls
from ticker.feeds.calls import Calls
from ticker.feeds.market.conditions import CODINGS, CONDITIONS, taken_by_text, trade_flags
from ticker.feeds.workers.mappings import load_mapping
from ticker.shm.layout import TradeFlag

E9 = 1_000_000_000
LAST, VOLUME = calls.TRADE_SETS_LAST, calls.TRADE_COUNTS_VOLUME
RANGE = calls.TRADE_SETS_OPEN | calls.TRADE_SETS_RANGE
ONLY = calls.TRADE_LAST_IF_ONLY
ALL = LAST | RANGE | VOLUME
NOTHING = calls.TRADE_PRINTED

# The plans' matrices, letter by letter, written down once more: what a trade with that one
# condition updates. Marks of odd lots and extended hours are looked at below.
CTA = {
    ALL: " @EFKLOX56",
    VOLUME: "BCHNRV78",
    ONLY | RANGE | VOLUME: "PZ4",
    LAST | RANGE: "9",
    NOTHING: "MQ",
}
UTP = {
    ALL: " @ABDFKLOSXY156",
    VOLUME: "CEHNRVW78",
    ONLY | RANGE | VOLUME: "GPZ4",
    LAST | RANGE: "9",
    NOTHING: "MQ",
}


@pytest.mark.parametrize(("coding", "matrix"), [("cta", CTA), ("utp", UTP)])
def test_each_letter_updates_what_its_plan_says(coding: str, matrix: dict[int, str]) -> None:
    for flags, letters in matrix.items():
        assert {letter: trade_flags(coding, letter) for letter in letters} == dict.fromkeys(
            letters, flags
        )
    known = "".join(matrix.values()) + "ITU"
    for code in range(128):
        if code and chr(code) not in known:
            # no plan lists it: it may mean anything, so it sets no price
            assert trade_flags(coding, chr(code)) == VOLUME, chr(code)


@pytest.mark.parametrize(
    ("coding", "codes", "flags"),
    [
        ("cta", "", ALL),
        ("cta", "@F I", ALL | calls.TRADE_ODD_LOT),
        ("cta", "@ T ", ALL | calls.TRADE_EXTENDED),
        ("utp", "@FTI", ALL | calls.TRADE_ODD_LOT | calls.TRADE_EXTENDED),
        ("utp", "@ U ", ONLY | RANGE | VOLUME | calls.TRADE_EXTENDED),
        ("utp", "@ ZI", ONLY | RANGE | VOLUME | calls.TRADE_ODD_LOT),
        ("utp", "@4 W", VOLUME),
        ("cta", "@ TM", NOTHING),
        ("cta", "B", VOLUME),  # average price on tapes A and B ...
        ("utp", "B", ALL),  # ... bunched on tape C
        ("polygon", "0", ALL),
        ("polygon", "12 37", ALL | calls.TRADE_ODD_LOT | calls.TRADE_EXTENDED),
        ("polygon", "10", ONLY | RANGE | VOLUME),
        ("polygon", "14 41", ALL),
        ("polygon", "2", VOLUME),
        ("polygon", "15", NOTHING),
        ("polygon", "38", LAST | RANGE),
        ("fix", "", ALL),
        ("fix", "X B", VOLUME),
        ("fix", "M", ONLY | RANGE | VOLUME),
        ("fix", "AR", ALL | calls.TRADE_EXTENDED),
        ("fix", "AJ", NOTHING),
        ("fix", "A", VOLUME),
        ("fix", "? ??", ALL),  # venues have codes of their own
        ("iex", "0", ALL),
        ("iex", str(0x80 | 0x10), ALL),
        ("iex", str(0x20), ALL | calls.TRADE_ODD_LOT),
        ("iex", str(0x60), ALL | calls.TRADE_ODD_LOT | calls.TRADE_EXTENDED),
    ],
)
def test_conditions_together(coding: str, codes: str, flags: int) -> None:
    assert trade_flags(coding, codes) == flags


def test_a_code_means_one_thing_in_each_coding() -> None:
    for field in ("cta", "utp", "polygon", "fix"):
        codes = [code for condition in CONDITIONS for code in getattr(condition, field)]
        assert len(codes) == len(set(codes)), field
    with pytest.raises(KeyError):
        trade_flags("morse", "A")


@given(st.sampled_from(["cta", "utp"]), st.text(st.characters(max_codepoint=127), max_size=4))
def test_more_conditions_never_give_back(coding: str, codes: str) -> None:
    whole = trade_flags(coding, codes)
    for at in range(len(codes)):
        part = trade_flags(coding, codes[:at] + codes[at + 1 :])
        assert whole & ALL & ~part == 0


@given(st.binary(max_size=12))
def test_any_fix_text_gives_flags(text: bytes) -> None:
    shown = text.decode("latin-1").encode("ascii", "replace").decode()
    assert 0 < trade_flags("fix", shown) < 2 * max(TradeFlag)


def test_mappings_name_codings_that_there_are() -> None:
    for coding in CODINGS:
        assert taken_by_text(coding)
    for name in ("polygon", "alpaca"):
        tables = [
            record.conditions.table for record in load_mapping(name).records if record.conditions
        ]
        assert tables and None not in tables


class Trades:
    """One instrument of a market: trades by flags, and what shows."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.calls = Calls(feed.market)
        self.instrument = self.calls.define(1, "A")
        self.number = 0

    def trade(self, price: int, flags: int, time: int = 5) -> int:
        self.number += 1
        self.calls.trade(self.instrument, price * E9, 10, self.number, flags, time, time)
        return self.number

    def sale(self) -> tuple[int, ...]:
        self.feed.send()
        row = self.feed.row("A")
        return (*(row[name] // E9 for name in ("price", "open", "high", "low")), row["volume"])


@pytest.fixture
def trades(make_feed: Callable[..., Any]) -> Trades:
    return Trades(make_feed())


def test_odd_lots_and_extended_hours_count_for_volume_only(trades: Trades) -> None:
    trades.trade(10, trade_flags("cta", "@"))
    trades.trade(20, trade_flags("cta", "I"))
    trades.trade(5, trade_flags("cta", "T"))
    trades.trade(5, trade_flags("cta", "U"))
    assert trades.sale() == (10, 10, 10, 10, 40)


def test_a_conditional_sale_sets_the_last_price_only_where_none_else_has(trades: Trades) -> None:
    late = trade_flags("utp", "Z")
    first = trades.trade(10, late)
    assert trades.sale() == (10, 10, 10, 10, 10)
    second = trades.trade(12, late)
    assert trades.sale() == (10, 10, 12, 10, 20)
    third = trades.trade(11, ALL, time=6)
    trades.trade(9, late, time=7)
    assert trades.sale() == (11, 10, 12, 9, 40)
    # Without the regular one they are alone again: the first of them is the last sale.
    trades.calls.break_trade(trades.instrument, third, 8)
    assert trades.sale() == (10, 10, 12, 9, 30)
    trades.calls.break_trade(trades.instrument, first, 8)
    assert trades.sale() == (12, 12, 12, 9, 20)
    trades.calls.correct_trade(trades.instrument, second, 13 * E9, 10, 8)
    assert trades.sale() == (13, 13, 13, 9, 20)
    trades.trade(14, ALL, time=9)
    assert trades.sale()[0] == 14


def test_yesterdays_last_sale_is_no_other_sale(trades: Trades) -> None:
    trades.trade(10, ALL, time=5)
    trades.calls.start_session(100)
    trades.trade(11, trade_flags("cta", "P"), time=101)
    assert trades.sale() == (11, 11, 11, 11, 10)
    trades.trade(12, trade_flags("cta", "P"), time=102)
    assert trades.sale() == (11, 11, 12, 11, 20)


def test_a_record_says_whether_the_last_price_was_set(trades: Trades) -> None:
    trades.feed.records()
    trades.trade(10, trade_flags("cta", "Z"))
    trades.trade(10, trade_flags("cta", "Z"))
    trades.feed.send()
    assert [record["kind"] for record in trades.feed.records()] == [1, 2]
