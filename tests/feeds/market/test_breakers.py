"""The state of a venue's market as a whole, by the messages of ITCH and IEX."""

import pytest

from ticker.feeds.market.market import Market
from ticker.feeds.protocols.itch50 import Itch50
from ticker.feeds.protocols.tops import Tops
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.liveness import Conditions, MarketWords, market_words, verdict
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

TRADING, HALTED = 1, 2
SECOND = 1_000_000_000


class Venue:
    def __init__(self, protocol: type[Itch50] | type[Tops] = Itch50) -> None:
        self.mapping = private_feed(Geometry(8, 1, 64), 1, 1)
        heartbeat = Heartbeat(self.mapping)
        heartbeat.take_over(1, 10 * SECOND)
        heartbeat.set_state(counters.LIVE)
        self.market = Market(self.mapping, venue="XNAS")
        self.protocol = protocol(self.market)
        self.table = PriceTable(self.mapping)
        self.conditions = Conditions([self.mapping])

    def say(self, *messages: bytes) -> MarketWords:
        for message in messages:
            self.protocol.decode(message, 9 * SECOND)
        self.market.publish(9 * SECOND)
        return market_words(self.mapping)

    def state(self, row: int) -> str:
        self.conditions.look(10 * SECOND)
        values = self.table.values(row) or {}
        return verdict(
            self.conditions, 0, status=values["status"], publish_time=values["publish_time"]
        )


def itch(kind: bytes, body: bytes, seconds: int = 5, locate: int = 0) -> bytes:
    time = (seconds * SECOND).to_bytes(6, "big")
    return kind + locate.to_bytes(2, "big") + b"\0\0" + time + body


def action(symbol: bytes, locate: int, state: bytes, reason: bytes = b"    ") -> bytes:
    return itch(b"H", symbol.ljust(8) + state + b" " + reason, locate=locate)


@pytest.mark.parametrize(
    ("event", "phase"),
    [(b"S", "pre"), (b"Q", "open"), (b"M", "post"), (b"E", "closed"), (b"C", "closed")],
)
def test_itch_says_the_phase(event: bytes, phase: str) -> None:
    found = Venue().say(itch(b"S", event))
    assert (found.phase, found.phase_time) == (phase, 5 * SECOND)


def test_a_breaker_halts_every_symbol_until_one_trades_again() -> None:
    venue = Venue()
    venue.say(action(b"AAPL", 1, b"T"), action(b"MSFT", 2, b"T"))
    assert [venue.state(row) for row in (0, 1)] == ["live", "live"]
    found = venue.say(itch(b"W", b"2", 6))
    assert (found.breaker, found.breaker_time) == (2, 6 * SECOND)
    assert [venue.state(row) for row in (0, 1)] == ["halted", "halted"]
    assert venue.conditions.state(0) == "halted"
    venue.say(action(b"AAPL", 1, b"H", b"MWC2"), action(b"MSFT", 2, b"H", b"MWC2"))
    assert market_words(venue.mapping).breaker == 2
    found = venue.say(action(b"AAPL", 1, b"T", b"MWCQ"))
    assert found.breaker == 0
    assert [venue.state(row) for row in (0, 1)] == ["live", "halted"], "MSFT is not resumed yet"


@pytest.mark.parametrize(
    ("reason", "level"), [(b"MWC1", 1), (b"MWC3", 3), (b"MWC0", 0), (b"T1  ", 0)]
)
def test_a_halts_reason_says_it_where_the_breakers_own_message_was_lost(
    reason: bytes, level: int
) -> None:
    assert Venue().say(action(b"AAPL", 1, b"H", reason)).breaker == level


def test_an_unknown_level_is_none() -> None:
    assert Venue().say(itch(b"W", b"4")).breaker == 0


def test_decline_levels_have_eight_decimals() -> None:
    levels = [(4000 - 100 * i) * 10**8 + 12345678 for i in range(3)]
    body = b"".join(level.to_bytes(8, "big") for level in levels)
    assert Venue().say(itch(b"V", body)).decline_levels == tuple(10 * each for each in levels)


def test_the_next_session_forgets() -> None:
    venue = Venue()
    venue.say(itch(b"S", b"Q"), itch(b"W", b"3"))
    assert venue.say(itch(b"S", b"O")) == ("unknown", 0, 0, 0, (0, 0, 0))


def test_a_successor_goes_on_with_what_was_said() -> None:
    venue = Venue()
    said = venue.say(itch(b"S", b"Q"), itch(b"W", b"1"))
    assert (said.phase, said.breaker) == ("open", 1)
    successor = Market(venue.mapping, venue="XNAS")
    successor.publish(10 * SECOND)
    Itch50(successor).decode(itch(b"S", b"M", 7), 1)
    successor.publish(11 * SECOND)
    found = market_words(venue.mapping)
    assert (found.phase, found.breaker) == ("post", 1)


def test_nothing_shows_while_a_session_is_computed_again() -> None:
    venue = Venue()
    venue.market.set_publishing(False)
    assert venue.say(itch(b"S", b"Q")).phase == "unknown"
    venue.market.set_publishing(True)
    assert venue.say().phase == "open"


def test_a_halt_drops_no_price() -> None:
    venue = Venue()
    trade = itch(
        b"P", bytes(8) + b"B" + (100).to_bytes(4, "big") + b"AAPL    "
        + (50_0000).to_bytes(4, "big") + (7).to_bytes(8, "big"), locate=1,
    )  # fmt: skip
    venue.say(action(b"AAPL", 1, b"H"), itch(b"W", b"1"), trade)
    values = venue.table.values(0) or {}
    assert (values["price"], values["status"]) == (50 * SECOND, HALTED)


def iex(kind: bytes, flag: bytes, rest: bytes = b"") -> bytes:
    return kind + flag + (5 * SECOND).to_bytes(8, "little") + rest


@pytest.mark.parametrize(
    ("event", "phase"), [(b"S", "pre"), (b"R", "open"), (b"M", "post"), (b"E", "closed")]
)
def test_iex_says_the_phase(event: bytes, phase: str) -> None:
    assert Venue(Tops).say(iex(b"S", event)).phase == phase


@pytest.mark.parametrize(("reason", "level"), [(b"MCB3", 3), (b"T1  ", 0)])
def test_iex_names_the_breaker_as_a_reason(reason: bytes, level: int) -> None:
    venue = Venue(Tops)
    assert venue.say(iex(b"H", b"H", b"AAPL    " + reason)).breaker == level
    assert venue.say(iex(b"H", b"T", b"AAPL    " + b"    ")).breaker == 0
