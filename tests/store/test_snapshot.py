"""Snapshot files give the prices of their time, or nothing; never another price."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import StoreError
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable, TableWriter
from ticker.store.restore import Restored, restore
from ticker.store.snapshot import Contents, Image, checksum

NOW = 1_774_900_000_000_000_000
MIDNIGHT = NOW - 50_000_000_000_000
ROWS = 1300  # three blocks, the last one not full


def segment(rows: int = 2000) -> Mapping:
    return private_feed(Geometry(rows, 1, 16), boot_id=1, now_ns=NOW)


def filled(rows: int, seed: int = 1) -> tuple[Mapping, TableWriter]:
    mapping = segment()
    table = TableWriter(mapping)
    chance = random.Random(seed)
    for number in range(rows):
        row = table.add(f"S{number}", "XNAS", instrument_key=number + 7)
        publish(table, row, chance)
    return mapping, table


def publish(table: TableWriter, row: int, chance: random.Random) -> None:
    table.put(
        row,
        price=chance.randrange(1, 10**14),
        volume=chance.randrange(10**9),
        trades=chance.randrange(1, 10**6),
        seq=chance.randrange(1, 10**6),
        exchange_time=NOW - chance.randrange(10**9),
        publish_time=NOW,
        session_start=MIDNIGHT,
    )


def states(table: PriceTable) -> dict[str, dict[str, int] | None]:
    return {table.symbol(row): table.values(row) for row in range(len(table))}


def read(data: bytes) -> dict[str, dict[str, int]]:
    return {symbol: values for symbol, _, values in Contents(data)}


def test_a_snapshot_has_every_row_as_it_was() -> None:
    mapping, table = filled(ROWS)
    image = Image(mapping, "nasdaq")
    assert image.look() == ROWS
    data = bytes(image.seal(5, NOW))
    contents = Contents(data)
    assert (contents.feed, contents.number, contents.created_ns) == ("nasdaq", 5, NOW)
    assert (contents.rows, contents.damaged) == (ROWS, [])
    assert read(data) == states(table)


def test_only_rows_that_moved_are_copied_again() -> None:
    mapping, table = filled(ROWS)
    image = Image(mapping, "nasdaq")
    image.look()
    first = bytes(image.seal(1, NOW))
    assert image.look() == 0
    chance = random.Random(2)
    for row in (0, 511, 512, 1299):
        publish(table, row, chance)
    table.add("NEW", "XNAS")
    assert image.look() == 5
    second = bytes(image.seal(2, NOW + 1))
    assert read(second) == states(table)
    assert len(second) > len(first)


def test_an_empty_table_is_a_snapshot_too() -> None:
    image = Image(segment(), "nasdaq")
    assert image.look() == 0
    assert list(Contents(bytes(image.seal(1, NOW)))) == []


def test_restored_rows_are_the_same_but_stale() -> None:
    mapping, table = filled(ROWS)
    image = Image(mapping, "nasdaq")
    image.look()
    target = segment()
    done = restore(target, [Contents(bytes(image.seal(1, NOW)))], midnight=MIDNIGHT)
    assert done == Restored(created_ns=NOW, rows=ROWS)
    before, after = states(table), states(PriceTable(target))
    assert list(after) == list(before)
    for symbol, values in after.items():
        expected = before[symbol]
        assert values is not None and expected is not None
        assert values.pop("flags") & 1  # ROW_STALE
        expected.pop("flags")
        assert values == expected
    restored = PriceTable(target)
    assert restored.instrument_key(3) == 10
    assert (restored.venue(3), restored.currency(3)) == ("XNAS", "USD")


def test_a_day_that_is_over_is_closed() -> None:
    mapping, table = filled(2)
    table.put(
        0,
        price=185_000_000_000,
        regular_price=185_000_000_000,
        open=1,
        high=2,
        low=3,
        bid=4,
        ask=5,
        previous_close=6,
    )
    table.put(1, price=0, previous_close=7)
    image = Image(mapping, "nasdaq")
    image.look()
    target = segment()
    contents = Contents(bytes(image.seal(1, NOW)))
    done = restore(target, [contents], midnight=MIDNIGHT + 86_400_000_000_000)
    assert done.rolled == 2
    traded, quiet = PriceTable(target).values(0), PriceTable(target).values(1)
    assert traded is not None and quiet is not None
    assert (traded["price"], traded["previous_close"]) == (185_000_000_000,) * 2
    for name in ("volume", "trades", "open", "high", "low", "bid", "ask"):
        assert traded[name] == 0, name
    assert traded["session_start"] == MIDNIGHT + 86_400_000_000_000
    assert quiet["previous_close"] == 7


def test_times_that_no_clock_shows_yet_are_set_back() -> None:
    """The clock was a day ahead when they were written. Left so, they would hide newer prices."""
    day = 86_400_000_000_000
    mapping, table = filled(3)
    table.put(0, exchange_time=NOW + day, quote_time=NOW + day)
    table.put(1, exchange_time=NOW + 9, quote_time=NOW + 10)
    table.put(2, exchange_time=NOW - 5, quote_time=NOW - 6)
    image = Image(mapping, "nasdaq")
    image.look()
    contents = Contents(bytes(image.seal(1, NOW)))

    def times(**more: int) -> tuple[int, list[tuple[int, int]]]:
        target = segment()
        done = restore(target, [contents], midnight=MIDNIGHT, **more)
        rows = [PriceTable(target).values(row) or {} for row in range(3)]
        return done.ahead, [(row["exchange_time"] - NOW, row["quote_time"] - NOW) for row in rows]

    kept = [(9, 10), (-5, -6)]
    assert times(now_ns=NOW, max_ahead_ns=10) == (1, [(0, 0), *kept])
    assert times(now_ns=NOW, max_ahead_ns=9) == (2, [(0, 0), (0, 0), (-5, -6)])
    assert times(now_ns=NOW) == (0, [(day, day), *kept])


def test_a_damaged_block_comes_from_the_snapshot_before() -> None:
    mapping, table = filled(ROWS)
    image = Image(mapping, "nasdaq")
    image.look()
    older = bytes(image.seal(1, NOW))
    before = states(table)
    chance = random.Random(3)
    for row in range(ROWS):
        publish(table, row, chance)
    image.look()
    newer = bytearray(image.seal(2, NOW + 1))
    after = states(table)
    newer[-10] ^= 1  # in the last block, whose rows are 1024 to 1299
    contents = Contents(bytes(newer))
    assert contents.damaged == [(1024, 276)]
    target = segment()
    restore(target, [contents, Contents(older)], midnight=MIDNIGHT)
    found = states(PriceTable(target))
    assert len(found) == ROWS
    for number in range(ROWS):
        symbol = f"S{number}"
        expected = (after if number < 1024 else before)[symbol]
        shown = found[symbol]
        assert shown is not None and expected is not None
        assert shown["price"] == expected["price"], symbol


def test_symbols_that_did_not_move_for_long_and_a_table_that_is_too_small() -> None:
    mapping, table = filled(20)
    table.put(4, exchange_time=1, publish_time=1)
    image = Image(mapping, "nasdaq")
    image.look()
    contents = Contents(bytes(image.seal(1, NOW)))
    # `put` sets no time by itself, so row 4 last moved in 1970
    small = private_feed(Geometry(10, 1, 16), boot_id=1, now_ns=NOW)
    done = restore(small, [contents], midnight=MIDNIGHT, oldest_ns=NOW - 10**12)
    assert (done.rows, done.too_old, done.no_room) == (10, 1, 9)


@pytest.fixture(scope="module")
def whole() -> tuple[bytes, dict[str, dict[str, int]]]:
    mapping, _ = filled(ROWS)
    image = Image(mapping, "nasdaq")
    image.look()
    data = bytes(image.seal(1, NOW))
    return data, read(data)


@given(st.data())
def test_damage_hides_rows_and_never_changes_one(
    whole: tuple[bytes, dict[str, dict[str, int]]], data: st.DataObject
) -> None:
    content, truth = whole
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] ^= data.draw(st.integers(1, 255))
    length = data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))
    try:
        found = read(bytes(damaged[:length]))
    except StoreError:
        return
    for symbol, values in found.items():
        assert truth[symbol] == values


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_contents_or_a_store_error(data: bytes, marked: bool) -> None:
    with pytest.raises(StoreError):
        Contents(b"TICKSNAP" + data if marked else data)


def test_a_newer_format_says_so(whole: tuple[bytes, dict[str, dict[str, int]]]) -> None:
    head = bytearray(whole[0][:128])
    head[8] = 2
    head[124:128] = checksum(bytes(head[:124])).to_bytes(4, "little")
    with pytest.raises(StoreError, match="format 2, and this version reads format 1"):
        Contents(bytes(head) + whole[0][128:])


def test_the_checksum_is_the_one_of_rfc_3720() -> None:
    """Appendix B.4, and the check value of the catalogue of parametrised CRC algorithms."""
    for data, expected in (
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ):
        assert checksum(data) == expected
        assert checksum(data, plain=True) == expected
