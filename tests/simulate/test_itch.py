"""The simulated day, read by a small decoder of its own that trusts nothing."""

from __future__ import annotations

import collections
import hashlib
import struct
from collections.abc import Iterator

import pytest

from ticker.simulate.market.listings import listings
from ticker.simulate.speakers.itch import ItchMarket

# type: length, from the specification
LENGTHS = {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21,
    "A": 36, "F": 40, "E": 31, "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19,
    "I": 50, "N": 20, "O": 48,
}  # fmt: skip
SECOND = 1_000_000_000


def day(market: ItchMarket, room: int = 1 << 16, limit: int = 1 << 40) -> bytes:
    buffer = bytearray(room)
    whole = bytearray()
    while not market.over:
        messages, used = market.generate(limit, buffer)
        assert messages <= limit
        assert messages or room < 64
        whole += buffer[:used]
    return bytes(whole)


def split(framed: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(framed):
        length = framed[at] << 8 | framed[at + 1]
        yield framed[at + 2 : at + 2 + length]
        at += 2 + length
    assert at == len(framed)


class Order:
    def __init__(self, locate: int, side: str, shares: int, price: int) -> None:
        self.locate, self.side, self.shares, self.price = locate, side, shares, price


class Books:
    """Orders by reference; asserts that every message is one an exchange could send.

    `late` allows references that were added before it began to read.
    """

    def __init__(self, late: bool = False) -> None:
        self.late = late
        self.orders: dict[int, Order] = {}
        self.sides: dict[tuple[int, str], dict[int, Order]] = collections.defaultdict(dict)
        self.symbols: dict[int, bytes] = {}
        self.state: dict[int, str] = {}
        self.matches: dict[int, int] = {}
        self.last_reference = 0
        self.last_match = 0
        self.time = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self.all_halted = False
        self.unknown = 0

    def read(self, message: bytes) -> None:
        kind = chr(message[0])
        assert len(message) == LENGTHS[kind]
        locate, tracking = struct.unpack_from(">HH", message, 1)
        time = int.from_bytes(message[5:11], "big")
        assert tracking == 0
        assert time >= self.time
        self.time = time
        self.counts[kind] += 1
        method = getattr(self, f"read_{'op' if kind == 'h' else kind}", None)
        if method is not None:
            method(locate, message)

    def read_R(self, locate: int, message: bytes) -> None:  # noqa: N802
        symbol = message[11:19]
        assert self.symbols.setdefault(locate, symbol) == symbol
        assert message[29:30] == b"P"

    def read_H(self, locate: int, message: bytes) -> None:  # noqa: N802
        assert self.symbols[locate] == message[11:19]
        self.state[locate] = chr(message[19])
        assert self.state[locate] in "HPQT"
        self.all_halted = False

    def read_op(self, locate: int, message: bytes) -> None:
        self.state[locate] = {"H": "h", "T": "T"}[chr(message[20])]

    def read_W(self, locate: int, message: bytes) -> None:  # noqa: N802
        assert (locate, message[11:]) == (0, b"1")
        self.all_halted = True

    def add(self, reference: int, order: Order) -> None:
        assert reference > self.last_reference
        assert order.shares > 0
        assert order.price > 0
        assert order.price % 100 == 0
        self.last_reference = reference
        self.orders[reference] = order
        self.sides[order.locate, order.side][reference] = order
        assert len(self.sides[order.locate, order.side]) <= 64
        bids = self.sides[order.locate, "B"].values()
        asks = self.sides[order.locate, "S"].values()
        if bids and asks and not self.late:
            assert max(bid.price for bid in bids) < min(ask.price for ask in asks)

    def read_A(self, locate: int, message: bytes) -> None:  # noqa: N802
        reference, side, shares, symbol, price = struct.unpack_from(">QcI8sI", message, 11)
        assert self.symbols.get(locate, symbol if self.late else None) == symbol
        self.add(reference, Order(locate, side.decode(), shares, price))

    read_F = read_A  # noqa: N815

    def known(self, reference: int, locate: int) -> Order | None:
        if self.late and reference not in self.orders:
            self.unknown += 1
            return None
        order = self.orders[reference]
        assert order.locate == locate
        return order

    def take(self, reference: int, order: Order, shares: int) -> None:
        assert 0 < shares <= order.shares
        order.shares -= shares
        if not order.shares:
            self.drop(reference)

    def drop(self, reference: int) -> None:
        order = self.orders.pop(reference)
        del self.sides[order.locate, order.side][reference]

    def match(self, number: int, locate: int) -> None:
        assert number > self.last_match
        self.last_match = number
        self.matches[number] = locate

    def read_E(self, locate: int, message: bytes) -> None:  # noqa: N802
        reference, shares, match = struct.unpack_from(">QIQ", message, 11)
        self.match(match, locate)
        order = self.known(reference, locate)
        if order is None:
            return
        if not self.late:
            assert self.state[locate] == "T"
            assert not self.all_halted
            side = self.sides[locate, order.side]
            sign = -1 if order.side == "B" else 1
            # the front: best price, then the oldest reference
            assert reference == min(side, key=lambda found: (sign * side[found].price, found))
        self.take(reference, order, shares)

    def read_C(self, locate: int, message: bytes) -> None:  # noqa: N802
        assert message[31:32] in (b"Y", b"N")
        price = int.from_bytes(message[32:36], "big")
        order = self.known(int.from_bytes(message[11:19], "big"), locate)
        if order is not None:
            assert abs(price - order.price) <= order.price // 20
        self.read_E(locate, message)

    def read_X(self, locate: int, message: bytes) -> None:  # noqa: N802
        reference, shares = struct.unpack_from(">QI", message, 11)
        order = self.known(reference, locate)
        if order is not None:
            assert shares < order.shares
            self.take(reference, order, shares)

    def read_D(self, locate: int, message: bytes) -> None:  # noqa: N802
        reference = int.from_bytes(message[11:19], "big")
        if self.known(reference, locate) is not None:
            self.drop(reference)

    def read_U(self, locate: int, message: bytes) -> None:  # noqa: N802
        old, new, shares, price = struct.unpack_from(">QQII", message, 11)
        order = self.known(old, locate)
        if order is not None:
            self.drop(old)
            self.add(new, Order(locate, order.side, shares, price))

    def read_P(self, locate: int, message: bytes) -> None:  # noqa: N802
        reference, side, shares, symbol, price, match = struct.unpack_from(">QcI8sIQ", message, 11)
        assert (reference, side) == (0, b"B")
        assert self.symbols.get(locate, symbol) == symbol
        assert shares
        assert price
        self.match(match, locate)

    def read_Q(self, locate: int, message: bytes) -> None:  # noqa: N802
        assert chr(message[39]) in "OCH"
        self.match(int.from_bytes(message[31:39], "big"), locate)

    def read_B(self, locate: int, message: bytes) -> None:  # noqa: N802
        match = int.from_bytes(message[11:19], "big")
        if not self.late:
            assert self.matches.pop(match) == locate

    def resting(self) -> dict[int, tuple[int, str, int, int]]:
        return {
            reference: (order.locate, order.side, order.shares, order.price)
            for reference, order in self.orders.items()
        }


@pytest.mark.slow
@pytest.mark.parametrize(("symbols", "messages", "seed"), [(30, 60_000, 1), (300, 60_000, 2)])
def test_a_day_is_one_that_an_exchange_could_have(symbols: int, messages: int, seed: int) -> None:
    books = Books()
    codes = []
    for message in split(day(ItchMarket(symbols, seed, messages=messages))):
        books.read(message)
        if message[:1] == b"S":
            codes.append((chr(message[11]), books.time))
        elif chr(message[0]) in "AFECXDUPB":
            assert 34_200 * SECOND <= books.time < 57_600 * SECOND
    assert books.counts.total() == messages
    assert set(books.counts) == set(LENGTHS)
    assert "".join(code for code, _ in codes) == "OSQMEC"
    assert [time // SECOND for _, time in codes[2:4]] == [34_200, 57_600]
    assert len(books.symbols) == len(set(books.symbols.values())) == symbols
    assert books.symbols[1] == b"AAPL    "
    assert len(books.orders) <= 100 * symbols


@pytest.mark.slow
def test_the_mix_is_like_that_of_a_real_day() -> None:
    market = ItchMarket(50, 3, messages=1_000_000)
    counts = collections.Counter(chr(message[0]) for message in split(day(market)))
    share = {kind: count / 10_000 for kind, count in counts.items()}
    for kind, low, high in [
        ("A", 34, 46), ("D", 28, 40), ("U", 7, 14), ("E", 5, 12), ("X", 1, 5), ("P", 0.4, 2),
        ("F", 0.5, 3), ("C", 0.2, 2),
    ]:  # fmt: skip
        assert low <= share[kind] <= high, (kind, share)


def test_the_same_seed_is_the_same_day_in_any_portions() -> None:
    whole = day(ItchMarket(20, 9, messages=5_000))
    assert whole == day(ItchMarket(20, 9, messages=5_000), room=700)
    assert whole == day(ItchMarket(20, 9, messages=5_000), limit=7)
    assert whole != day(ItchMarket(20, 10, messages=5_000))


def test_a_seed_means_the_same_bytes_on_every_machine_and_build() -> None:
    """Committed results name a seed: a change of the generator changes this on purpose."""
    digest = hashlib.sha256(day(ItchMarket(100, 7, messages=20_000))).hexdigest()
    assert digest.startswith("624abad792d0d26a")


def test_round_lots_go_by_the_price() -> None:
    """Regulation NMS, Rule 600(b)(93); prices of listings are in 1e-4 dollars."""
    prices = {each.symbol.encode(): each.price for each in listings(200)}
    lots = {
        message[11:19].rstrip(): int.from_bytes(message[21:25], "big")
        for message in split(day(ItchMarket(200, 4, messages=2_000)))
        if message[:1] == b"R"
    }
    assert lots == {
        name: 100 if price <= 250_0000 else 40 if price <= 1000_0000 else 10 if price <= 10_000_0000
        else 1
        for name, price in prices.items()
    }  # fmt: skip
    assert {100, 40} <= set(lots.values())


def test_prices_walk_and_stay_plausible() -> None:
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    prices: dict[int, set[int]] = collections.defaultdict(set)
    for message in split(day(ItchMarket(20, 4, messages=20_000))):
        if message[:1] == b"P":
            locate = int.from_bytes(message[1:3], "big")
            last[locate] = int.from_bytes(message[32:36], "big")
            first.setdefault(locate, last[locate])
            prices[locate].add(last[locate])
    assert len(prices[1]) > 5
    for locate, price in last.items():
        assert 0.85 < price / first[locate] < 1.15


@pytest.mark.slow
def test_who_joins_late_has_the_whole_book_after_two_rounds() -> None:
    round_ = 8_000
    market = ItchMarket(40, 5, rate=2_000.0, start=40_000 * SECOND, visit_round=round_)
    buffer = bytearray(1 << 22)
    _, used = market.generate(45_000, buffer)
    messages = list(split(bytes(buffer[:used])))
    early, late = Books(), Books(late=True)
    join = len(messages) - 2 * round_ - round_ // 4
    for at, message in enumerate(messages):
        early.read(message)
        if at >= join:
            late.read(message)
    assert late.unknown > 0
    assert late.resting() == early.resting()
    assert late.symbols == early.symbols
    assert late.state == early.state


def test_an_endless_day_ends_when_it_is_closed() -> None:
    market = ItchMarket(10, 1, rate=1_000.0)
    buffer = bytearray(1 << 20)
    assert market.generate(2_000, buffer)[0] == 2_000
    over = market.over
    assert not over
    market.close()
    messages, used = market.generate(2_000, buffer)
    assert [chr(message[11]) for message in split(bytes(buffer[:used]))] == ["M", "E", "C"]
    assert messages == 3
    assert market.over
    assert market.generate(2_000, buffer) == (0, 0)
    assert market.said == 2_003


def test_the_opening_ends_with_the_opening_crosses() -> None:
    market = ItchMarket(12, 1)
    buffer = bytearray(1 << 16)
    _, used = market.generate(market.opening, buffer)
    messages = list(split(bytes(buffer[:used])))
    assert [message[0] for message in messages[-12:]] == [ord("Q")] * 12
    # one in eight has no cross: zero shares
    assert sum(message[11:19] == bytes(8) for message in messages[-12:]) == 1


def test_too_few_messages_and_a_small_buffer_are_refused() -> None:
    with pytest.raises(ValueError, match="100 symbols need at least"):
        ItchMarket(100, messages=500)
    with pytest.raises(ValueError, match="give at least 64"):
        ItchMarket(1).generate(1, bytearray(63))
