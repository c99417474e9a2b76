"""Books that are cut to a depth, and their checksums, held against a model of the vendor's side."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.json.kraken_books import Level, book, checksum, message, record
from tests.feeds.protocols.json_feed import JsonFeed, price

DEPTH = 10

# The example of Kraken's guide "Spot Websockets (v1) Book Checksum", which v2 shares.
GUIDE_ASKS = [(f"0.{5005 + 5 * n:05}", "0.00000500") for n in range(10)]
GUIDE_BIDS = [
    (each, "0.00000500")
    for each in ("0.05000", "0.04995", "0.04990", "0.04980", "0.04975", "0.04970", "0.04965",
                 "0.04960", "0.04955", "0.04950")
]  # fmt: skip
GUIDE_CRC = 974947235


def counters(feed: JsonFeed) -> tuple[int, list[str]]:
    """Wrong checksums, and the books that are asked for."""
    asked = [event.text for event in feed.protocol.take_events() if event.kind == "book"]
    return feed.counter("bad_checksums"), asked


def test_the_checksum_of_the_guide() -> None:
    assert checksum(GUIDE_BIDS, GUIDE_ASKS) == GUIDE_CRC
    feed = JsonFeed("kraken")
    feed.send(book("snapshot", GUIDE_BIDS, GUIDE_ASKS, GUIDE_CRC))
    assert counters(feed) == (0, [])
    feed.send(book("snapshot", GUIDE_BIDS, GUIDE_ASKS, GUIDE_CRC + 1))
    assert counters(feed) == (1, ["BTC/USD"])


def test_a_wrong_book_is_told_once_until_it_begins_anew() -> None:
    feed = JsonFeed("kraken")
    feed.send(book("snapshot", GUIDE_BIDS, GUIDE_ASKS, GUIDE_CRC))
    feed.send(book("update", [("0.05001", "1.00000000")], [], 7))
    feed.send(book("update", [("0.05002", "1.00000000")], [], 7))
    assert counters(feed) == (2, ["BTC/USD"])
    feed.send(book("snapshot", GUIDE_BIDS, GUIDE_ASKS, GUIDE_CRC))
    assert counters(feed) == (2, [])
    feed.send(book("update", [("0.05001", "1.00000000")], [], 7))
    assert counters(feed) == (3, ["BTC/USD"])


def test_a_level_that_falls_out_is_gone() -> None:
    """The vendor sends nothing about levels behind the depth, not even their removal."""
    bids = [(str(100 - n), "1.0") for n in range(10)]
    feed = JsonFeed("kraken")
    feed.send(book("snapshot", bids, [], checksum(bids, [])))
    inside = [("101", "2.0"), *bids[:9]]
    feed.send(book("update", [("101", "2.0")], [], checksum(inside, [])))
    assert feed.market.depth("BTC/USD", 0)[-1] == (price("92"), 10**8)
    # It is there again: an update says so. 91, which fell out before, is not.
    back = [*bids[:9], ("90", "5.0")]
    feed.send(book("update", [("101", "0.0"), ("90", "5.0")], [], checksum(back, [])))
    found = [level for level, _ in feed.market.depth("BTC/USD", 0)]
    assert found == [price(level) for level, _ in back]
    assert counters(feed) == (0, [])


def test_a_book_is_cut_after_the_whole_text() -> None:
    """One level in and another out in one text: none falls out between the two."""
    bids = [(str(100 - n), "1.0") for n in range(10)]
    feed = JsonFeed("kraken")
    feed.send(book("snapshot", bids, [], checksum(bids, [])))
    after = [("101", "1.0"), *bids[1:]]
    feed.send(book("update", [("101", "1.0"), ("100", "0")], [], checksum(after, [])))
    assert len(feed.market.depth("BTC/USD", 0)) == 10
    assert counters(feed) == (0, [])


@pytest.mark.parametrize("quantity", ["1e-7", "0.000000001", "1.00000000000"])
def test_what_cannot_be_proven_is_not_called_wrong(quantity: str) -> None:
    """Digits that are not known as they were written make no checksum."""
    feed = JsonFeed("kraken")
    feed.send(book("snapshot", [("100.5", quantity), ("100", "1.0")], [], 12345))
    assert counters(feed) == (0, [])


def test_books_of_several_symbols_in_one_text() -> None:
    """Each is proven by itself."""
    bids = [("7.0", "1.00"), ("6.5", "2.00")]
    feed = JsonFeed("kraken")
    feed.send(
        message("snapshot", record(bids, [], 1, "A/USD"), record(bids, [], checksum(bids, [])))
    )
    assert counters(feed) == (1, ["A/USD"])
    assert feed.row("A/USD")["bid"] == feed.row("BTC/USD")["bid"] == price("7")


class Vendor:
    """The whole book of one symbol, of which the best levels are sent, and what changes of them."""

    def __init__(self) -> None:
        self.book: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        self.sent: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}

    def best(self, side: str) -> dict[str, str]:
        ordered = sorted(self.book[side].items(), key=lambda each: Decimal(each[0]))
        return dict(ordered[-DEPTH:] if side == "bids" else ordered[:DEPTH])

    def changes(self, side: str) -> list[Level]:
        """What a subscriber needs to have the best levels. One that falls out is not told of."""
        before, after = self.sent[side], self.best(side)
        whole = self.book[side]
        found = [(level, "0.00000000") for level in before if level not in whole]
        found += [(level, size) for level, size in after.items() if before.get(level) != size]
        self.sent[side] = after
        return found

    def message(self, kind: str) -> str:
        bids, asks = self.changes("bids"), self.changes("asks")
        crc = checksum(self.sent["bids"].items(), self.sent["asks"].items())
        return book(kind, bids, asks, crc)


TICKS = st.lists(
    st.tuples(
        st.sampled_from(["bids", "asks"]), st.integers(0, 29), st.sampled_from([0, 0, 1, 10**8])
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@given(st.lists(TICKS, min_size=1, max_size=12))
def test_any_book_stays_the_vendors(updates: list[list[tuple[str, int, int]]]) -> None:
    """However levels come, go and fall out: they are the vendor's, and every checksum fits."""
    vendor, feed = Vendor(), JsonFeed("kraken")
    for number, ticks in enumerate(updates):
        for side, tick, size in ticks:
            level = f"{100 + tick if side == 'asks' else 99 - tick}.{tick % 10}0"
            if size:
                vendor.book[side][level] = f"{Decimal(size).scaleb(-8):.8f}"
            else:
                vendor.book[side].pop(level, None)
        feed.send(vendor.message("update" if number else "snapshot"))
    assert counters(feed) == (0, [])
    for number, name in enumerate(("bids", "asks") if list(feed.rows()) else ()):
        found = feed.market.depth("BTC/USD", number)
        assert dict(found) == {
            price(level): int(Decimal(size) * 10**8) for level, size in vendor.sent[name].items()
        }
