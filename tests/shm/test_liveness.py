"""The verdict on a row: each state, and which goes before which."""

import pytest

from ticker.shm import counters
from ticker.shm.counters import Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.liveness import (
    BREAK,
    CLOSED,
    OPEN,
    UNKNOWN,
    WORKER_TIMEOUT_NS,
    Conditions,
    verdict,
)
from ticker.shm.segment import Geometry, private_feed

S = 1_000_000_000
NOW = 1_774_881_002 * S
ROW_STALE = 1
HELD = (16, 32, 48)
TRADING, HALTED, PAUSED, QUOTE_ONLY, SHUT = 1, 2, 3, 4, 5
SILENCE, QUIET = 2 * S, 60 * S


class Feed:
    """A live feed that heard from its venue just now, until a test says otherwise."""

    def __init__(self) -> None:
        self.mapping: Mapping = private_feed(Geometry(4, 1, 8), 7, NOW)
        self.heartbeat = Heartbeat(self.mapping)
        self.heartbeat.take_over(1, NOW)
        self.heartbeat.set_state(counters.LIVE)
        self.heartbeat.set_patience(SILENCE, QUIET)
        self.heartbeat.heard(NOW)
        self.conditions = Conditions([self.mapping])

    def state(
        self, status: int = TRADING, flags: int = 0, *, at: int = NOW, changed: int = NOW,
        session: tuple[int, int, int] = (UNKNOWN, 0, 0), beats: bool = True,
    ) -> str:  # fmt: skip
        if beats:
            self.heartbeat.beat(at)
        self.conditions.look(at, [session])
        return verdict(self.conditions, 0, status=status, flags=flags, publish_time=changed)


IN_SESSION = (OPEN, NOW - 3600 * S, NOW - 80_000 * S)
AT_NIGHT = (CLOSED, NOW - 60 * S, NOW - 3600 * S)


@pytest.mark.parametrize(
    ("status", "state"),
    [(0, "live"), (TRADING, "live"), (HALTED, "halted"), (PAUSED, "paused"),
     (QUOTE_ONLY, "paused"), (SHUT, "closed")],
)  # fmt: skip
def test_what_a_live_feed_says(status: int, state: str) -> None:
    assert Feed().state(status) == state


def test_quiet_is_a_symbol_that_is_silent_while_its_feed_beats() -> None:
    feed = Feed()
    assert feed.state(changed=NOW - QUIET) == "live"
    assert feed.state(changed=NOW - QUIET - 1) == "quiet"
    assert feed.state(HALTED, changed=NOW - 10 * QUIET) == "halted", "a halt goes before"


@pytest.mark.parametrize("held", HELD)
def test_a_price_that_a_held_trade_may_change_is_unconfirmed(held: int) -> None:
    feed = Feed()
    assert feed.state(flags=held) == "unconfirmed"
    assert feed.state(0, held) == "unconfirmed"
    assert feed.state(flags=held, changed=NOW - 10 * QUIET) == "unconfirmed", "before quiet"
    assert feed.state(HALTED, held) == "halted"
    assert feed.state(PAUSED, held) == "paused"
    assert feed.state(flags=held | ROW_STALE) == "stale"
    assert feed.state(flags=held, at=NOW + SILENCE + 1) == "stale"
    assert Feed().state(flags=held, session=AT_NIGHT) == "closed"


def test_silence_of_the_venue_is_stale_even_if_the_worker_beats() -> None:
    feed = Feed()
    assert feed.state(at=NOW + SILENCE) == "live"
    assert feed.state(at=NOW + SILENCE + 1) == "stale"
    assert feed.state(HALTED, at=NOW + SILENCE + 1) == "stale", "the halt may be over by now"


def test_a_worker_that_is_gone_is_stale() -> None:
    feed = Feed()
    feed.heartbeat.heard(NOW + WORKER_TIMEOUT_NS)
    assert feed.state(at=NOW + WORKER_TIMEOUT_NS - 1, beats=False) == "live"
    assert feed.state(at=NOW + WORKER_TIMEOUT_NS, beats=False) == "stale"


def test_a_restored_row_is_stale_until_its_first_tick() -> None:
    assert Feed().state(flags=ROW_STALE) == "stale"


@pytest.mark.parametrize("status", [TRADING, HALTED])
def test_closed_goes_before_stale_and_halted(status: int) -> None:
    feed = Feed()
    assert feed.state(status, at=NOW + SILENCE + 1, session=AT_NIGHT) == "closed"
    assert feed.state(status, ROW_STALE, session=AT_NIGHT) == "closed"


def test_yesterdays_closed_does_not_hide_todays_silence() -> None:
    feed = Feed()
    assert feed.state(SHUT, session=IN_SESSION) == "closed", "said by a feed that is there"
    assert feed.state(SHUT, at=NOW + SILENCE + 1, session=IN_SESSION) == "stale"


def test_a_break_of_the_calendar_is_no_close() -> None:
    assert Feed().state(session=(BREAK, NOW - 3600 * S, 0)) == "live"


def test_an_ended_session_is_closed_until_the_next_begins() -> None:
    feed = Feed()
    feed.heartbeat.set_state(counters.ENDED)
    later = NOW + 40_000 * S
    assert feed.state() == "closed"
    assert feed.state(at=later) == "closed", "no calendar knows better"
    assert feed.state(at=later, session=(OPEN, later - S, NOW)) == "stale"


def test_a_gap_being_filled_makes_nothing_stale_but_a_rebuild_does() -> None:
    feed = Feed()
    assert feed.state() == "live"
    feed.heartbeat.set_state(counters.RECOVERING)
    assert feed.state() == "live"
    feed.heartbeat.take_over(2, NOW)
    assert feed.state() == "stale", "a successor shows its predecessor's rows until it is done"
    feed.heartbeat.set_state(counters.LIVE)
    assert feed.state() == "live"


@pytest.mark.parametrize("state", [counters.STARTING, counters.STALE])
def test_states_that_vouch_for_nothing(state: int) -> None:
    feed = Feed()
    feed.heartbeat.set_state(state)
    assert feed.state() == "stale"
    assert feed.conditions.state(0) == "stale"


def test_heard_never_forgets() -> None:
    feed = Feed()
    feed.heartbeat.heard(0)
    assert feed.heartbeat.last_message_ns == NOW


def test_no_such_feed() -> None:
    with pytest.raises(IndexError, match="feed 1"):
        Feed().conditions.state(1)


@pytest.mark.parametrize("step", [-86_400, -40, 40, 86_400])
def test_a_wall_clock_that_is_set_makes_nothing_older_or_younger(step: int) -> None:
    """What ages goes by the clock that only runs: the worker beats on, in either time."""
    feed = Feed()
    state = feed.conditions.state

    def look(seconds: float, wall: int = 0) -> str:
        feed.conditions.look(NOW + int((seconds + wall) * S), None, 100 * S + int(seconds * S))
        return state(0)

    feed.heartbeat.beat(NOW)
    assert look(0) == "live"
    assert look(0.5, step) == "live", "before the next beat"
    feed.heartbeat.beat(NOW + int((0.6 + step) * S))
    feed.heartbeat.heard(NOW + int((0.6 + step) * S))
    assert look(1.0, step) == "live"
    assert look(2.5, step) == "live"
    assert look(3.1, step) == "stale", "silent for longer than it may be"
