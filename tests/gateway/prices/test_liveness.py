"""The status of symbols on several feeds, and the changes that a watch reports."""

import pytest

from ticker.gateway.prices.board import Board
from ticker.gateway.prices.liveness import Watch
from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter

S = 1_000_000_000
NOW = 1_774_881_002 * S
TRADING, HALTED, PAUSED = 1, 2, 3
STALE, LISTED, HELD = 1, 8, 16


class Feeds:
    """Two live feeds with a row each for one symbol."""

    def __init__(self) -> None:
        self.mappings = [private_feed(Geometry(4, 1, 8), 7, NOW) for _ in range(2)]
        self.beats = [Heartbeat(mapping) for mapping in self.mappings]
        self.rows = [TableWriter(mapping) for mapping in self.mappings]
        for beat, rows, venue in zip(self.beats, self.rows, ("XNAS", "BATS"), strict=True):
            beat.take_over(1, NOW)
            beat.set_state(counters.LIVE)
            rows.add("AAPL", venue)
        self.board = Board(list(zip("ab", self.mappings, strict=True)))

    def put(self, feed: int, status: int, *, flags: int = 0, age: int = 0) -> None:
        self.rows[feed].put(0, price=S, status=status, flags=flags, publish_time=NOW - age)

    def look(self) -> str:
        self.board.look(NOW)
        return self.board.state(0)


QUIET = 61 * S


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ((TRADING, 0, 0), (TRADING, 0, 0), "live"),
        ((TRADING, 0, QUIET), (TRADING, 0, 0), "live"),
        ((HALTED, 0, 0), (TRADING, 0, 0), "live"),  # on one venue only
        ((HALTED, LISTED, 0), (TRADING, 0, 0), "halted"),  # by the venue that lists it
        ((PAUSED, LISTED, 0), (TRADING, 0, 0), "paused"),
        ((HALTED, LISTED | STALE, 0), (TRADING, 0, 0), "live"),  # it may be over
        ((HALTED, 0, 0), (0, 0, QUIET), "halted"),  # the other one knows no halts
        ((HALTED, 0, 0), (TRADING, 0, QUIET), "quiet"),
        ((TRADING, STALE, 0), (HALTED, 0, 0), "halted"),
        ((TRADING, STALE, 0), (TRADING, STALE, 0), "stale"),
        ((5, 0, 0), (5, 0, 0), "closed"),
        ((TRADING, HELD, 0), (TRADING, 0, 0), "live"),  # the other one has a price of its own
        ((TRADING, HELD, 0), (TRADING, 0, QUIET), "unconfirmed"),
        ((TRADING, HELD, 0), (TRADING, STALE, 0), "unconfirmed"),
        ((HALTED, LISTED, 0), (TRADING, HELD, 0), "halted"),
    ],
)
def test_a_symbol_is_in_the_best_of_its_states(
    first: tuple[int, int, int], second: tuple[int, int, int], state: str
) -> None:
    feeds = Feeds()
    for feed, (status, flags, age) in enumerate((first, second)):
        feeds.put(feed, status, flags=flags, age=age)
    assert feeds.look() == state


def test_one_venues_own_state() -> None:
    feeds = Feeds()
    feeds.put(0, HALTED)
    feeds.put(1, TRADING)
    feeds.look()
    views = [feeds.board.price("AAPL", venue) for venue in ("XNAS", "BATS", None)]
    assert [view.status for view in views if view] == ["halted", "live", "live"]


def test_a_held_trade_is_said_to_whoever_watches_and_by_venue() -> None:
    feeds = Feeds()
    watch = Watch(feeds.board)
    feeds.put(0, TRADING)
    feeds.put(1, TRADING, age=QUIET)
    feeds.look()
    assert watch.symbols([0]) == []
    feeds.put(0, TRADING, flags=HELD)
    feeds.look()
    assert watch.symbols([0]) == [(0, "unconfirmed")]
    views = [feeds.board.price("AAPL", venue) for venue in ("XNAS", "BATS", None)]
    assert [view.status for view in views if view] == ["unconfirmed", "quiet", "unconfirmed"]
    assert not any(view.stale for view in views if view)


def test_a_watch_tells_changes_only() -> None:
    feeds = Feeds()
    watch = Watch(feeds.board)
    for feed in range(2):
        feeds.put(feed, TRADING)
    feeds.look()
    assert (watch.symbols([0]), watch.feeds()) == ([], []), "live is what a client believes"
    for feed in range(2):
        feeds.put(feed, HALTED)
    feeds.look()
    assert watch.symbols([]) == []
    assert watch.symbols([0]) == [(0, "halted")]
    assert watch.symbols([0]) == []
    assert watch.now(0) == "halted"
    feeds.beats[1].set_state(counters.STALE)
    feeds.look()
    assert watch.symbols([0]) == []
    assert watch.feeds() == [("b", "stale")]
    assert watch.feeds() == []


def test_a_watch_knows_symbols_that_come_later() -> None:
    feeds = Feeds()
    watch = Watch(feeds.board)
    feeds.put(0, TRADING)
    feeds.look()
    watch.symbols([0])
    feeds.rows[0].add("MSFT", "XNAS")
    feeds.rows[0].put(1, status=HALTED, publish_time=NOW)
    feeds.look()
    assert watch.symbols([0, 1]) == [(1, "halted")]
    with pytest.raises(IndexError, match="symbol 2"):
        watch.symbols([2])


def test_markets() -> None:
    watch = Watch(Feeds().board)
    assert watch.markets([("XNYS", "open"), ("XLON", "closed")]) == [("XLON", "closed")]
    assert watch.markets([("XNYS", "post"), ("XLON", "closed")]) == [("XNYS", "post")]
