"""JSON by mapping: each key that says how a vendor writes things, by the rows that come of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.protocols.json_feed import JsonFeed, ns, price
from ticker.feeds.json.mapping import parse_mapping
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.json import Json
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

TRADE = """
[[records]]
name = "trade"
kind = "trade"
path = "[]?"
where = { k = { present = false } }
symbol = "s"
price = "p"
size = "z"
"""
QUOTE = """
[[records]]
name = "quote"
kind = "quote"
path = "[]?"
where = { k = "q" }
symbol = "s"
bid = "b"
bid_size = "bz"
ask = "a"
time = "t"
"""


def mapped(record: str = "", top: str = "", more: str = "") -> JsonFeed:
    """Trades with these further keys, and those of the mapping's top."""
    return JsonFeed(parse_mapping(f"{top}\n{TRADE}\n{record}\n{more}"))


def trade(**fields: Any) -> dict[str, Any]:
    return {"s": "ACME", "p": 10, "z": 100, **fields}


# Prices


@pytest.mark.parametrize(
    ("decimals", "written", "expected"),
    [(2, "178.52999877929688", "178.53"), (4, "178.52999877929688", "178.53"),
     (3, "0.0005", "0.001"), (0, "7.5", "8"), (9, "185.42000000000002", "185.42"),
     (2, '"12.345"', "12.35")],
)  # fmt: skip
def test_prices_of_declared_decimals(decimals: int, written: str, expected: str) -> None:
    for feed in (
        mapped(f"price_decimals = {decimals}"), mapped(top=f"price_decimals = {decimals}"),
    ):  # fmt: skip
        feed.send(f'{{"s":"ACME","p":{written},"z":1}}')
        assert feed.row("ACME")["price"] == price(expected)


@pytest.mark.parametrize("scale", ["9", "1_000_000_000"])
def test_integer_prices(scale: str) -> None:
    feed = mapped(top=f'price_scale = {scale}\nprice_none = [9223372036854775807, "-1"]')
    feed.send(trade(p="185420000001"), trade(p=9223372036854775807), trade(p=-1), trade(p=1.5))
    assert feed.row("ACME")["price"] == 185_420_000_001
    assert feed.reasons() == {("trade", "no usable price"): 3}


def test_the_greatest_integer_is_no_price() -> None:
    """An undefined price where they are integers, also if the mapping does not say so."""
    feed = mapped(top="price_scale = 9", more=QUOTE)
    feed.send(trade(p=9223372036854775807), trade(p=2, s="B"), trade(p=9223372036854775807, s="B"))
    quote = {"k": "q", "b": 9223372036854775807, "a": 11_000_000_000, "t": "2026-01-02T15:00:00Z"}
    feed.send(quote | {"s": "C"})
    assert [symbol for symbol, _ in feed.rows()] == ["B", "C"]
    assert (feed.row("B")["price"], feed.counter("jumps_held")) == (2, 0)
    assert (feed.row("C")["bid"], feed.row("C")["ask"]) == (0, price("11"))
    assert feed.reasons() == {("trade", "no usable price"): 2}


def test_a_record_has_its_own_way_to_write_prices() -> None:
    quotes = QUOTE + 'price_scale = 2\nprice_none = ["0"]\n'
    feed = mapped(top="price_decimals = 2", more=quotes)
    feed.send(
        trade(p=10.006), {"k": "q", "s": "ACME", "b": 1001, "a": 0, "t": "2026-01-02T15:00:00Z"}
    )
    row = feed.row("ACME")
    assert (row["price"], row["bid"], row["ask"]) == (price("10.01"), price("10.01"), 0)


# Sizes


@pytest.mark.parametrize(
    ("time", "size"),
    [("2025-11-03T04:59:59.999999999Z", 300), ("2025-11-03T05:00:00Z", 3),
     ("2026-03-31T13:30:00Z", 3)],
)  # fmt: skip
def test_round_lots_until_a_day(time: str, size: int) -> None:
    """The day begins at midnight by the mapping's clock."""
    top = 'time_zone = "America/New_York"'
    feed = mapped(top=top, more=QUOTE + "size_factor = 100\nsize_factor_until = 2025-11-03\n")
    feed.send({"k": "q", "s": "ACME", "b": 10, "bz": 3, "a": 11, "t": time})
    assert feed.row("ACME")["bid_size"] == size


def test_fractions_count_where_the_mapping_says_so() -> None:
    whole, fine = mapped(), mapped(top="size_decimals = 3")
    for feed in (whole, fine):
        feed.send(trade(z=1.5), trade(z="0.0625"))
    assert whole.row("ACME")["volume"] == 1
    assert fine.row("ACME")["volume"] == 1562


# Times


@pytest.mark.parametrize(
    ("keys", "written", "expected"),
    [
        ("", "2026-03-31T13:30:00+0000", "2026-03-31T13:30:00Z"),
        ('time_zone = "America/New_York"', "2026-03-31 09:30:00", "2026-03-31T13:30:00Z"),
        ('time_zone = "America/New_York"', "2026-03-31T09:30:00Z", "2026-03-31T09:30:00Z"),
        ('time_zone = "America/New_York"', "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"),
        ('time_zone = "Asia/Kolkata"\ntime_format = "%d-%m-%Y %H:%M:%S"', "31-03-2026 19:00:00",
         "2026-03-31T13:30:00Z"),
        ('time_format = "%m/%d/%Y %I:%M:%S %p %z"', "3/31/2026 9:30:00 AM -0400",
         "2026-03-31T13:30:00Z"),
    ],
)  # fmt: skip
def test_times(keys: str, written: str, expected: str) -> None:
    feed = mapped('time = "t"\n' + keys)
    feed.send(trade(t=written))
    assert feed.row("ACME")["exchange_time"] == ns(expected)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.sampled_from(["", "Z", "+0530"])
)
def test_the_offset_that_is_written_goes_first(when: datetime, offset: str) -> None:
    feed = mapped('time = "t"\ntime_zone = "Asia/Kolkata"')
    feed.send(trade(t=when.strftime("%Y-%m-%dT%H:%M:%S") + offset))
    east = 0 if offset == "Z" else 19_800
    expected = int(when.replace(tzinfo=UTC, microsecond=0).timestamp()) - east
    assert dict(feed.rows())["ACME"]["exchange_time"] == expected * 10**9


# Ids

IDS = 'id = "i"\nvenue = "x"\nid_parts = ["f", "g"]\n'
BREAK = """
[[records]]
name = "break"
kind = "break"
path = "[]?"
where = { k = "x" }
symbol = "s"
id = "i"
venue = "x"
id_parts = ["f", "g"]
"""


def test_an_id_of_several_parts() -> None:
    """Each part tells trades apart, in its place; a part that is not there is one more way."""
    feed = mapped(IDS, more=BREAK)
    parts: list[dict[str, Any]] = [
        {"f": 1}, {"f": 2}, {"g": 1}, {"f": 1, "g": 2}, {"f": 2, "g": 1}, {},
    ]  # fmt: skip
    feed.send(*(trade(i=71, x=4, **each) for each in parts + parts))
    assert (feed.row("ACME")["trades"], feed.counter("rejected_duplicate")) == (6, 6)
    feed.send({"k": "x", "s": "ACME", "i": 71, "x": 4, "f": 2, "g": 1})
    assert (feed.row("ACME")["trades"], feed.counter("breaks")) == (5, 1)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"i": 71}, 71),
        ({"i": "52983525029461", "x": "V"}, 52983525029461),
        ({"i": 71, "x": 4, "f": 201}, 71),
        ({"i": 0, "x": 4}, 1 << 63 | 4 << 54),  # a trade that is told has a number
        ({"i": 0}, 1 << 63),
        ({"i": 2**46 - 1, "x": "V"}, 2**46 - 1),
    ],
)
def test_an_id_with_further_parts_is_told_as_the_venue_says_it(
    record: dict[str, Any], told: int
) -> None:
    feed = mapped('id = "i"\nvenue = "x"\nid_parts = ["f"]\n')
    feed.send(trade(**record), trade(**record))
    (reject,) = feed.market.rejects()
    assert (reject.rule, reject.match) == ("duplicate", told)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": 4}, {"x": "4 "}), ({"x": 52}, {"x": "4"}), ({"x": 65}, {"x": "A"}),
        ({"x": 256 + 65}, {"x": "A"}), ({"x": 1, "f": 2}, {"x": 258}), ({"f": 1}, {"x": 1}),
        ({"x": 0}, {}), ({"x": "V"}, {"x": "W"}), ({"x": "NAS"}, {"x": "NYS"}),
        ({"i": 2**46, "x": 1}, {"i": 0, "x": 1}), ({"i": 0}, {"i": 1}),
    ],
)  # fmt: skip
def test_ids_with_other_parts_are_others(one: dict[str, Any], other: dict[str, Any]) -> None:
    feed = mapped('id = "i"\nvenue = "x"\nid_parts = ["f"]\n')
    both = [trade(**({"i": 71} | each)) for each in (one, other)]
    feed.send(*both, *both)
    assert (feed.row("ACME")["trades"], feed.counter("rejected_duplicate")) == (2, 2)


# Conditions

TAPES = """
[records.conditions]
path = "c"
tape = "z2"
tapes = { A = "cta", C = "utp" }
table = "utp"
not_volume = ["99"]
"""


def counted(codes: Any, record: str, **fields: Any) -> tuple[bool, bool]:
    """Whether a trade with these conditions sets the last price, and counts for volume."""
    feed = mapped(record)
    feed.send(trade(c=codes, **fields))
    row = feed.row("ACME")
    return row["price"] > 0, row["volume"] > 0


@pytest.mark.parametrize(
    "codes",
    [["@", "T", "I"], "@TI", "@ TI", ["@ TI"], ["@   ", "T   ", "I   "], "@TI ", ["@", " ", "TI"]],
)
def test_all_forms_of_the_same_letters(codes: Any) -> None:
    assert counted(codes, TAPES, z2="C") == (False, True)
    assert counted("@F  ", TAPES, z2="C") == (True, True)


@pytest.mark.parametrize("codes", [[2, 41], ["2", "41"], "2,41", "2 41", " 41 2 ", ["2 ", "41"], 2])
def test_all_forms_of_the_same_numbers(codes: Any) -> None:
    record = '[records.conditions]\npath = "c"\ntable = "polygon"\n'
    assert counted(codes, record) == (False, True)
    assert counted([14, 41], record) == (True, True)


def test_the_tape_says_whose_letters_they_are() -> None:
    """W is an average price on tape C, B on tape A; B is a bunched trade on tape C."""
    assert counted(["B"], TAPES, z2="A") == (False, True)
    assert counted(["B"], TAPES, z2="C") == (True, True)
    assert counted(["W"], TAPES, z2="C") == counted(["W"], TAPES) == (False, True)
    assert counted(["W"], TAPES, z2="?") == (False, True)


def test_what_the_mapping_says_itself_goes_with_every_tape() -> None:
    for tape in ("A", "C", "?"):
        assert counted(["@", "99"], TAPES, z2=tape) == (True, False)


# Symbols


def symbols_of(symbology: str, *written: str) -> tuple[list[str], set[tuple[str, int]]]:
    """The rows of trades in symbols that are written so, and what is skipped how often."""
    segment = private_feed(Geometry(rows=16, rings=1, ring_capacity=64), 1, 1)
    market = Market(segment, symbology=symbology)
    feed = Json(market, mapping=parse_mapping(TRADE))
    for symbol in written:
        feed.decode(json.dumps(trade(s=symbol)).encode(), 1)
    market.publish(1)
    table = PriceTable(segment)
    skipped = {(each.reason, each.times) for each in feed.skipped()}
    return [table.symbol(row) for row in range(len(table))], skipped


def test_a_blank_is_read_by_the_cms_convention() -> None:
    """One that stays in the canonical form is refused: no client could name it."""
    written = ("BRK B", "BRK B", "ABC PRA", "ABC", "ABC ZZZ", " ABC", "ABC ", "A B C")
    assert symbols_of("cms", *written) == (
        ["BRK.B", "ABC.PRA", "ABC"], {("no usable symbol", 4)},
    )  # fmt: skip
    assert symbols_of("none", "BRK B") == ([], {("no usable symbol", 1)})


def test_a_symbol_that_is_too_long_is_told_from_a_full_table() -> None:
    for symbology in ("none", "dash"):
        assert symbols_of(symbology, "A" * 24, "A" * 23) == (
            ["A" * 23], {("a symbol of more than 23 characters", 1)},
        )  # fmt: skip
    names, skipped = symbols_of("none", *(f"S{number}" for number in range(17)))
    assert (len(names), skipped) == (16, {("table full", 1)})
