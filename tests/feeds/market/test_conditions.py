"""Sale conditions: the rules of the consolidated tapes, and their effect on a market."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds import calls
from ticker.feeds.calls import Calls
from ticker.feeds.market import conditions
from ticker.feeds.market.conditions import (
    CODINGS,
    CONDITIONS,
    LATE,
    NO,
    YES,
    codes_of,
    knows,
    taken_by_text,
    trade_flags,
)
from ticker.feeds.workers.mappings import load_mapping
from ticker.shm.layout import TradeFlag

E9 = 1_000_000_000
LAST, OPEN, RANGE = calls.TRADE_SETS_LAST, calls.TRADE_SETS_OPEN, calls.TRADE_SETS_RANGE
VOLUME = calls.TRADE_COUNTS_VOLUME
ONLY, SAME, IN_TIME = (
    calls.TRADE_LAST_IF_ONLY,
    calls.TRADE_LAST_IF_SAME,
    calls.TRADE_LAST_IN_TIME,
)
OPENING, CLOSING = calls.TRADE_OFFICIAL_OPEN, calls.TRADE_OFFICIAL_CLOSE
ALL = LAST | OPEN | RANGE | VOLUME
NOTHING = calls.TRADE_PRINTED

# The plans' matrices, letter by letter, written down once more: what a trade with that one
# condition updates. Marks of odd lots and extended hours are looked at below.
CTA = {
    ALL: " @EFKX5",
    ALL | OPENING: "O",
    ALL | CLOSING: "6",
    ALL | SAME: "L",
    VOLUME: "BCHNRV78",
    ONLY | RANGE | VOLUME: "PZ4",
    LAST | OPEN | RANGE | CLOSING: "9",
    NOTHING | CLOSING: "M",
    NOTHING | OPENING: "Q",
}
UTP = {
    ALL: " @ABDFKSXY15",
    ALL | OPENING: "O",
    ALL | CLOSING: "6",
    ALL | IN_TIME: "L",
    VOLUME: "CEHNRVW78",
    ONLY | RANGE | VOLUME: "GPZ4",
    LAST | OPEN | RANGE | CLOSING: "9",
    NOTHING | CLOSING: "M",
    NOTHING | OPENING: "Q",
}


@pytest.mark.parametrize(("coding", "matrix"), [("cta", CTA), ("utp", UTP)])
def test_each_letter_updates_what_its_plan_says(coding: str, matrix: dict[int, str]) -> None:
    for flags, letters in matrix.items():
        assert {letter: trade_flags(coding, letter) for letter in letters} == dict.fromkeys(
            letters, flags
        )
    known = "".join(matrix.values()) + "ITU"
    for code in range(128):
        assert knows(coding, chr(code)) == (not code or chr(code) in known)
        if code and chr(code) not in known:
            # no plan lists it: it may mean anything, so it sets no price
            assert trade_flags(coding, chr(code)) == VOLUME, chr(code)


WORDS = {
    "no": NO, "yes": YES, "if only": conditions.ONLY, "if same": conditions.SAME,
    "if in time": LATE, "open": conditions.OPEN, "close": conditions.CLOSE,
    "no (yes)": YES, "no (if only)": conditions.ONLY,
}  # fmt: skip
MARKS = {"odd lot": calls.TRADE_ODD_LOT} | dict.fromkeys(
    ("form T", "extended hours, sold out of sequence"), calls.TRADE_EXTENDED
)


def documented(page: str) -> dict[str, list[str]]:
    """The cells of the matrix in docs/filter.md, by the condition's name."""
    table = page[page.index("| condition | CTA |") :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {row[0]: row[1:] for row in rows}


def test_the_documented_matrix_is_the_table(root: Path) -> None:
    rows = documented((root / "docs" / "filter.md").read_text())
    assert list(rows) == [condition.name for condition in CONDITIONS]
    for condition in CONDITIONS:
        *cells, source = rows[condition.name]
        codes = [
            [code.strip("`").replace("blank", " ") for code in cell.split()] for cell in cells[:5]
        ]
        assert source
        for coding, told in zip(("cta", "utp", "polygon", "fix"), codes, strict=False):
            assert tuple(told) == codes_of(condition, coding), (condition.name, coding)
        assert [int(bit, 0) for bit in codes[4]] == ([condition.iex] if condition.iex else [])
        columns = (
            condition.last, condition.open, condition.range, condition.volume, condition.official,
        )  # fmt: skip
        assert columns == tuple(WORDS[cell] for cell in cells[5:]), condition.name
        marked = any(cell.startswith("no (") for cell in cells[5:])
        assert condition.mark == (MARKS[condition.name] if marked else 0), condition.name


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: each.name)
def test_each_row_is_what_its_codes_do(condition: conditions.Condition) -> None:
    """Every code of a condition, alone, has the effect in its row of the table."""
    wanted = LAST if condition.last in (YES, conditions.SAME, LATE) else 0
    wanted |= ONLY if condition.last == conditions.ONLY else 0
    wanted |= OPEN if condition.open == YES else 0
    wanted |= RANGE if condition.range == YES else 0
    wanted |= VOLUME if condition.volume == YES else 0
    wanted |= SAME if condition.last == conditions.SAME else 0
    wanted |= IN_TIME if condition.last == LATE else 0
    wanted = wanted | condition.mark if wanted else NOTHING
    wanted |= {conditions.OPEN: OPENING, conditions.CLOSE: CLOSING}.get(condition.official, 0)
    for coding in CODINGS:
        for code in codes_of(condition, coding):
            assert trade_flags(coding, code) == wanted, (coding, code)
            assert knows(coding, code)


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
        ("cta", "@ TM", NOTHING | CLOSING),
        ("cta", "@O I", ALL | OPENING | calls.TRADE_ODD_LOT),
        ("cta", "B", VOLUME),  # average price on tapes A and B ...
        ("utp", "B", ALL),  # ... bunched on tape C
        ("polygon", "0", ALL),
        ("polygon", "12 37", ALL | calls.TRADE_ODD_LOT | calls.TRADE_EXTENDED),
        ("polygon", "10", ONLY | RANGE | VOLUME),
        ("polygon", "14 41", ALL),
        ("polygon", "2", VOLUME),
        ("polygon", "15", NOTHING | CLOSING),
        ("polygon", "16", NOTHING | OPENING),
        ("polygon", "17 37", ALL | OPENING | calls.TRADE_ODD_LOT),
        ("polygon", "38", LAST | OPEN | RANGE | CLOSING),
        ("fix", "", ALL),
        ("fix", "X B", VOLUME),
        ("fix", "M", ONLY | RANGE | VOLUME),
        ("fix", "AR", ALL | calls.TRADE_EXTENDED),
        ("fix", "AJ", NOTHING | CLOSING),
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
    # What came out of sequence is no open either, now that another trade is.
    assert trades.sale() == (11, 11, 12, 9, 40)
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
