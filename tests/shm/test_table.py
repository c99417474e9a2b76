"""The price table: rows by name, the single writer, and the state after a killed one."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.shm import shm
from ticker.bench.shm.steps import RowSteps
from ticker.bench.shm.stress import die_in_row
from ticker.errors import SegmentError
from ticker.shm import segment
from ticker.shm.header import KIND_FEED, Mapping
from ticker.shm.layout import RowFlag
from ticker.shm.table import FIELDS, HAS, PriceTable, TableWriter, volume_of

SIGNED = {
    "price", "open", "high", "low", "previous_close", "bid", "ask", "exchange_time",
    "receive_time", "publish_time", "quote_time", "open_time", "session_start", "correction_time",
    "extended_price", "extended_time", "official_open", "official_close", "official_close_time",
    "regular_price",
}  # fmt: skip


def test_a_row_carries_what_it_is(feed: Mapping) -> None:
    writer, reader = TableWriter(feed), PriceTable(feed)
    assert len(reader) == 0
    assert writer.add("BRK.B", "XNYS", "USD", 2, 4711) == 0
    assert writer.add("A" * 23, "", "") == 1
    assert len(reader) == 2
    assert (reader.symbol(0), reader.venue(0), reader.currency(0)) == ("BRK.B", "XNYS", "USD")
    assert (reader.size_exponent(0), reader.instrument_key(0)) == (2, 4711)
    assert (reader.symbol(1), reader.venue(1), reader.currency(1)) == ("A" * 23, "", "")


def test_long_venue_and_currency_are_cut(feed: Mapping) -> None:
    writer = TableWriter(feed)
    writer.add("A", "TOOLONGVENUE", "TOOLONGCURRENCY")
    assert (writer.venue(0), writer.currency(0)) == ("TOOLONG", "TOOLONG")


@pytest.mark.parametrize("symbol", ["", "A" * 24, "A\0B", "A\n", "\x7f"])
def test_a_symbol_that_is_none_is_refused(feed: Mapping, symbol: str) -> None:
    writer = TableWriter(feed)
    with pytest.raises(SegmentError, match="printable ASCII"):
        writer.add(symbol)
    assert len(writer) == 0


def test_a_full_table_refuses(feed: Mapping) -> None:
    writer = TableWriter(feed)
    for row in range(8):
        assert writer.add(f"S{row}") == row
    with pytest.raises(SegmentError, match=r"no room in a table of 8 rows.*raise `rows`"):
        writer.add("S8")
    assert len(writer) == 8


def test_a_scale_that_no_text_could_show_is_refused(feed: Mapping) -> None:
    writer = TableWriter(feed)
    assert writer.add("A", size_exponent=19) == 0
    with pytest.raises(SegmentError, match="size_exponent 20 is over 19"):
        writer.add("B", size_exponent=20)


def test_a_new_row_is_all_zero(feed: Mapping) -> None:
    writer = TableWriter(feed)
    writer.add("A")
    assert writer.values(0) == dict.fromkeys(FIELDS, 0)
    assert writer.generation(0) == 0


@pytest.mark.slow
@given(st.data())
def test_values_come_back_as_they_went_in(data: st.DataObject) -> None:
    mapping = segment.private_feed(segment.Geometry(1, 1, 2), 1, 1)
    writer, reader = TableWriter(mapping), PriceTable(mapping)
    writer.add("A")
    expected = dict.fromkeys(FIELDS, 0)
    for turn in range(3):
        for name in data.draw(st.sets(st.sampled_from(FIELDS))):
            low, high = (-(2**63), 2**63 - 1) if name in SIGNED else (0, 2**64 - 1)
            expected[name] = data.draw(st.integers(low, high))
        writer.put(0, **expected)
        for price in HAS:
            expected["flags"] |= HAS[price] if expected[price] else 0
        assert reader.values(0) == expected
        assert reader.generation(0) == 2 * turn + 2


def test_put_keeps_what_it_does_not_name(feed: Mapping) -> None:
    writer = TableWriter(feed)
    writer.add("A")
    writer.put(0, price=1, size=2)
    writer.put(0, price=3)
    values = writer.values(0)
    assert values is not None
    assert (values["price"], values["size"]) == (3, 2)
    with pytest.raises(KeyError, match="prize"):
        writer.put(0, prize=1)
    with pytest.raises(OverflowError):
        writer.put(0, size=-1)
    assert writer.generation(0) == 4


def test_a_price_of_zero_is_one_only_if_its_flag_says_so(feed: Mapping) -> None:
    writer = TableWriter(feed)
    writer.add("A")
    last, bid = RowFlag.ROW_HAS_LAST, RowFlag.ROW_HAS_BID

    def flags(**values: int) -> int:
        writer.put(0, **values)
        found = writer.values(0)
        assert found is not None
        return found["flags"]

    assert flags(price=5) == last
    assert flags(bid=-5) == last | bid
    assert flags(price=0) == bid
    assert flags(price=0, flags=last) == last
    assert flags(size=7) == last


def test_a_volume_has_128_bits(feed: Mapping) -> None:
    writer = TableWriter(feed)
    writer.add("A")
    # 10^15 shares, in units of 10^-9
    writer.put(0, volume=10**24 & (1 << 64) - 1, volume_high=10**24 >> 64)
    values = writer.values(0)
    assert values is not None
    assert volume_of(values) == 10**24


@pytest.mark.parametrize("row", [-1, 0, 8, 2**40])
def test_a_row_that_is_not_there(feed: Mapping, row: int) -> None:
    writer = TableWriter(feed)
    for call in (writer.values, writer.symbol, writer.generation, writer.put):
        with pytest.raises(IndexError, match="the table has 0 rows"):
            call(row)


def test_only_a_feed_has_a_table(gateway: Mapping) -> None:
    with pytest.raises(SegmentError, match="not a feed's segment"):
        PriceTable(gateway)


def test_a_successor_goes_on(name: str, feed: Mapping) -> None:
    writer = TableWriter(feed)
    writer.add("A")
    writer.put(0, price=1)
    successor = TableWriter(segment.attach(name, KIND_FEED, writable=True))
    assert successor.repaired == 0
    assert successor.add("B") == 1
    successor.put(0, size=2)
    values = PriceTable(feed).values(0)
    assert values is not None
    assert (values["price"], values["size"]) == (1, 2)


def test_a_cut_row_reads_as_before_and_is_repaired_forward(feed: Mapping) -> None:
    writer, reader = TableWriter(feed), PriceTable(feed)
    writer.add("A")
    steps = RowSteps(writer, 0)
    for number in (3, 4):
        steps.begin_write(number)
        steps.write_half(0)
        steps.write_half(1)
        steps.commit_write()
    before = reader.values(0)
    steps.begin_write(5)
    steps.write_half(0)
    assert reader.generation(0) == 5
    assert reader.values(0) == before
    successor = TableWriter(feed)
    assert successor.repaired == 1
    assert reader.generation(0) == 6
    assert reader.values(0) == before
    assert TableWriter(feed).repaired == 0


@pytest.mark.parametrize("words", [0, 1, 12, 24])
def test_a_killed_writer_is_repaired(name: str, feed: Mapping, words: int) -> None:
    """A real SIGKILL, between two words of a row."""
    TableWriter(feed).add("A")
    pid = os.fork()
    if pid == 0:
        die_in_row(TableWriter(segment.attach(name, KIND_FEED, writable=True)), 9, 0, words)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    reader = PriceTable(feed)
    assert reader.generation(0) == 1
    assert reader.values(0) == dict.fromkeys(FIELDS, 0)
    assert TableWriter(feed).repaired == 1
    assert reader.values(0) == dict.fromkeys(FIELDS, 0)


def check_rows(found: dict[str, int]) -> None:
    assert found["torn"] == found["backwards"] == found["outrun"] == 0
    assert found["changes"] > found["in_table"]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 64])
def test_no_torn_row(rows: int) -> None:
    found = shm.stress_rows(2_000_000, rows)
    assert found["reads"] == 2_000_000
    if rows == 1:  # published at full speed, one row may outrun a reader, who then says so
        found["outrun"] = 0
    check_rows(found)


@pytest.mark.slow
def test_the_check_sees_torn_rows() -> None:
    """A reader that ignores the generation must be caught, or the stress proves nothing."""
    assert any(shm.careless_reads(1_000_000) for _ in range(20))


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_no_torn_row_in_a_hundred_million_reads() -> None:
    found = shm.stress_rows(100_000_000)
    assert found["reads"] == 100_000_000
    check_rows(found)


def check_kills(found: dict[str, int], kills: int) -> None:
    assert found["torn"] == found["backwards"] == found["outrun"] == 0
    assert found["waited_1ms"] == 0
    assert found["in_row"] + found["in_record"] >= kills
    assert found["repaired"] == found["in_row"]
    assert found["records_torn"] == found["records_uncounted"] == 0


@pytest.mark.slow
def test_killed_writers() -> None:
    check_kills(shm.stress_kills(20, 5), 20)


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_two_hundred_killed_writers() -> None:
    check_kills(shm.stress_kills(200, 200), 200)
