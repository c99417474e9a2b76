"""JSON by mapping: the keys of mappings, skipped records, and any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.protocols.json_feed import JsonFeed, price
from ticker.errors import FeedError
from ticker.feeds.json.mapping import Mapping, parse_mapping
from ticker.feeds.market.market import Market
from ticker.feeds.protocols.json import Json
from ticker.feeds.workers.known import mappings
from ticker.shm.segment import Geometry, private_feed

# The mapping's own words


def mapping(text: str) -> Mapping:
    return parse_mapping(text)


FULL = """
sequence = "n"
[[records]]
name = "trade"
kind = "trade"
path = "d[]?"
where = { k = ["t", 7, true], gone = { present = false } }
symbol = ["s", "$.s"]
price = "p"
size = "q"
time = "t"
time_unit = "%s"
sequence = "i"
sequence_gaps = true
"""


@pytest.mark.parametrize(
    ("unit", "time", "expected"),
    [
        ("s", 1_700_000_000, 1_700_000_000 * 10**9),
        ("s", "1700000000.123456789", 1_700_000_000_123_456_789),
        ("ms", 1_700_000_000_123, 1_700_000_000_123 * 10**6),
        ("us", 1_700_000_000_123_456, 1_700_000_000_123_456 * 10**3),
        ("ns", "1700000000123456789", 1_700_000_000_123_456_789),
        ("iso", "2023-11-14T22:13:20.5Z", 1_700_000_000_500_000_000),
    ],
)
def test_units_of_time(unit: str, time: object, expected: int) -> None:
    feed = JsonFeed(mapping(FULL % unit))
    feed.send({"d": {"k": "t", "s": "A", "p": "1", "q": 1, "t": time, "i": 1}})
    assert feed.row("A")["exchange_time"] == expected


def test_rules_of_one_path_keep_the_order_of_the_text() -> None:
    """Trades of two rules in turn: none comes too late because the other rule was first."""
    feed = JsonFeed("alpaca")
    trade = {"T": "t", "S": "A", "x": "V", "s": 100, "c": ["@"]}
    feed.send(
        [
            {**trade, "i": n, "p": n, "z": tape, "t": f"2022-05-04T17:00:0{n}Z"}
            for n, tape in enumerate("CABCA", 1)
        ]
    )
    assert (feed.row("A")["trades"], feed.counter("rejected_older")) == (5, 0)


def test_where_and_fallbacks() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    record = {"p": 1, "q": 1, "t": 1}
    feed.send(
        {"s": "OUT", "d": [{**record, "k": 7, "i": 1}, {**record, "k": True, "s": "IN", "i": 1}]},
        {"s": "OUT", "d": {**record, "k": "t", "s": None, "i": 2}},
        {"s": "NO", "d": {**record, "k": "x"}},
        {"s": "NO", "d": {**record, "k": "t", "gone": 0}},
        {"s": "NO", "d": record},
    )
    assert {symbol: row["trades"] for symbol, row in feed.rows()} == {"OUT": 2, "IN": 1}
    assert feed.counter("unknown_types") == 3


def test_gaps_in_the_connection_are_counted() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    feed.send({"n": 5}, {"n": 6}, {"n": "9"}, {"n": 9}, {"n": 10}, {"other": 1})
    assert (feed.counter("gaps"), feed.counter("lost_messages")) == (1, 2)
    assert feed.counter("duplicate_messages") == 1
    feed.protocol.connected()
    feed.send({"n": 0}, {"n": 1})
    assert (feed.counter("gaps"), feed.counter("duplicate_messages")) == (1, 1)


def test_gaps_within_a_symbol_are_counted() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    for symbol, number in [("A", 1), ("B", 8), ("A", 2), ("A", 2), ("A", 5), ("B", 9)]:
        feed.send({"d": {"k": "t", "s": symbol, "p": 1, "q": 1, "t": number, "i": number}})
    assert (feed.counter("gaps"), feed.counter("gap_messages")) == (1, 2)
    assert feed.reasons() == {("trade", "repeated"): 1}
    assert {symbol: row["trades"] for symbol, row in feed.rows()} == {"A": 3, "B": 2}


def test_what_is_skipped_is_told() -> None:
    feed = JsonFeed(mapping(FULL % "s"))
    good = {"k": "t", "s": "A", "p": 1, "q": 1, "t": 1, "i": 1}
    bad: list[tuple[str, object]] = [
        ("symbol", None), ("symbol", ""), ("symbol", "A B"), ("symbol", ["A"]), ("symbol", "Ä"),
        ("price", "x"), ("price", None), ("size", True), ("size", -1), ("time", "soon"),
        ("time", None), ("sequence", "x"),
    ]  # fmt: skip
    keys = {"symbol": "s", "price": "p", "size": "q", "time": "t", "sequence": "i"}
    for field, value in bad:
        feed.send({"d": {**good, keys[field]: value}})
    feed.send(b"{", b"\xff", b"[]")
    expected = {("", "no JSON"): 2, ("", "no rule for it"): 1}
    for field, _ in bad:
        name = ("trade", f"no usable {field}")
        expected[name] = expected.get(name, 0) + 1
    assert feed.reasons() == expected
    assert feed.counter("bad_texts") == 2
    assert feed.counter("bad_records") == len(bad)
    assert sum(row["trades"] for _, row in feed.rows()) == 0
    example = next(skip.example for skip in feed.protocol.skipped() if "size" in skip.reason)
    assert '"q": -1' in example


ADVICE = [
    ("p", "178.52999877929688", "a price finer than 1e-9", "price_decimals"),
    ("t", "2026-03-31T13:30:00", "a time without an offset", "time_zone"),
    ("s", "A" * 24, "a symbol of more than 23 characters", ""),
]


@pytest.mark.parametrize(("key", "value", "what", "remedy"), ADVICE)
def test_a_reason_says_which_key_helps(key: str, value: str, what: str, remedy: str) -> None:
    feed = JsonFeed(mapping(FULL % "iso"))
    good = {"k": "t", "s": "A", "p": 1, "q": 1, "t": "2026-03-31T13:30:00Z", "i": 1}
    feed.send({"d": {**good, key: value}})
    (reason,) = feed.protocol.skipped()
    assert reason.reason.startswith(what)
    assert remedy in reason.reason
    assert not list(feed.rows())


def test_a_broken_text_changes_nothing() -> None:
    """A text is taken whole or not at all, wherever it breaks."""
    text = b'[{"sym":"A","px":1,"ts":1},{"sym":"B","px":2,"ts":1}]'
    feed = JsonFeed("plain")
    for end in range(len(text)):
        feed.send(text[:end])
    assert dict(feed.rows()) == {}
    assert feed.counter("bad_texts") == len(text)
    feed.send(text)
    assert len(dict(feed.rows())) == 2


def test_symbols_with_escapes_and_order_of_fields() -> None:
    feed = JsonFeed("coinbase")
    feed.send(
        rb'{"events":[{"trades":[{"time":"2026-01-01T00:00:00Z","size":"1","price":"2.50",'
        rb'"product_id":"A\u0042C","trade_id":"1"}]}],"sequence_num":1,"channel":"market_trades"}'
    )
    assert feed.row("ABC")["price"] == price("2.5")


def test_a_mapping_is_needed() -> None:
    with pytest.raises(FeedError, match="needs a mapping"):
        Json(Market(private_feed(Geometry(rows=4, rings=1, ring_capacity=16), 1, 1)))


def test_full_table() -> None:
    feed = JsonFeed("plain")
    for number in range(70):
        feed.send({"sym": f"S{number}", "px": 1, "ts": 1})
    assert len(dict(feed.rows())) == 64
    assert feed.reasons() == {("trade", "table full"): 6}


# Any bytes

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(
    ["A", "1.5", "2026-01-01T00:00:00Z", "market_trades", "l2_data", "snapshot", "bid", "T", "t"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["ev", "sym", "p", "s", "t", "c", "T", "S", "events", "trades", "data", "channel", "type",
     "product_id", "price", "size", "time", "updates", "result", "tickers", "lastTrade", "bids"]
)  # fmt: skip
TEXTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)


@pytest.mark.parametrize("name", mappings())
def test_any_bytes_are_events_or_counted(name: str) -> None:
    feed = JsonFeed(name)
    sent = 0

    @given(st.binary(max_size=100) | TEXTS)
    def check(text: object) -> None:
        nonlocal sent
        sent += 1
        feed.send(text)

    check()
    counted = feed.counter("bad_texts") + feed.counter("unknown_types")
    assert 0 < counted <= sent


@given(st.binary(max_size=300))
def test_random_bytes_change_no_price(data: bytes) -> None:
    feed = JsonFeed("polygon")
    feed.send(b'[{"ev":"T","sym":"A","i":"1","x":1,"p":10,"s":1,"t":1}]')
    before = dict(feed.rows())
    feed.send(data)
    assert dict(feed.rows()) == before


# Values that are none

BATCH = (
    '[{"sym":"A","px":10.5,"ts":1},{"sym":"B","px":%s,"ts":1},{"sym":"C","px":12.5,"ts":1,"x":%s}]'
)
NONE = (
    "NaN", "Infinity", "-Infinity", "nan", "undefined", "None", "", " ", "01", "+1", ".5", "1.",
    "0x1F", "1.2.3", "1,5e", "truex", '"\\x"', '"a\nb"', '"\\u12G4"', "'7'", "10.5USD",
)  # fmt: skip


@pytest.mark.parametrize("value", NONE)
def test_a_value_that_is_none_takes_no_other_record_along(value: str) -> None:
    """The other records of the batch are taken, and its own if no rule needs the value."""
    feed = JsonFeed("plain")
    value = value if value != "1,5e" else "5e"
    feed.send(BATCH % (value, value))
    assert {symbol: row["price"] for symbol, row in feed.rows()} == {
        "A": price("10.5"), "C": price("12.5"),
    }  # fmt: skip
    assert feed.reasons() == {("trade", "no usable price"): 1}
    assert (feed.counter("bad_texts"), feed.counter("bad_records")) == (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "[NaN", '{"sym":"A","px":1,"ts":1', '[{"sym":"A","px":NaN}', '{"sym":}}', "[1,}",
        '{"sym":"A","px":1 2,"ts":1}', '{"sym" "A"}', "<html>", "[,1]", "[1,]", '{,"a":1}', "{1:2}",
        '{"sym":"A,"px":1,"ts":1}', '[{"sym":"A","px":1,"ts":1}]x', ",", "}", '{"a":{"b":}',
    ],
)  # fmt: skip
def test_a_text_whose_grammar_is_broken_is_refused_whole(text: str) -> None:
    feed = JsonFeed("plain")
    feed.send(text)
    assert (feed.counter("bad_texts"), list(feed.rows())) == (1, [])


@given(
    st.lists(st.one_of(st.integers(0, 99), st.sampled_from(NONE[:6])), min_size=1, max_size=12),
    st.sampled_from(["", " ", "\n"]),
)
def test_as_many_are_taken_as_can_be_read(values: list[int | str], space: str) -> None:
    feed = JsonFeed("plain")
    records = [
        f'{space}{{"sym":"S{number}",{space}"px":{space}{value}{space},"ts":1}}'
        for number, value in enumerate(values)
    ]
    feed.send(f"[{','.join(records)}]")
    expected = {f"S{n}" for n, value in enumerate(values) if isinstance(value, int) and value}
    assert {symbol for symbol, row in feed.rows() if row["price"]} == expected
