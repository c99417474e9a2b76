"""What a witness holds against a feed that it hears nothing of, from messages with their times."""

from __future__ import annotations

import json

import pytest

from tests.load.witness import MOST_REVIVALS, Ledger, Witness

PATIENCE = 3.0


class Told:
    """One client of a feed `vendor`, which has X for itself; what it is told, by the second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.witness = Witness(
            0, ["X"], channel="quote", ledger=Ledger({"X": "vendor"}), clock=lambda: self.now
        )
        self.witness.command({})
        self.at(0.0, type="subscribed", symbols=["X"])
        self.seq = 0
        self.price(0.0)

    def at(self, second: float, **message: object) -> None:
        self.now = 100.0 + second
        self.witness.take(1, json.dumps(message).encode())

    def price(self, second: float) -> None:
        self.seq += 1
        time = f"2026-01-02T15:00:{self.seq:02}Z"
        self.at(second, type="update", symbol="X", price=1.0, timestamp=time, seq=self.seq)

    def state(self, second: float, state: str) -> None:
        self.at(second, type="status", feed="vendor", state=state)

    def faults(self, second: float) -> list[str]:
        found = self.witness.silences(100.0 + second, PATIENCE)
        return [fault for _, _, fault in found]


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_silence_of_which_nothing_is_said(told: Told) -> None:
    assert told.faults(2.9) == []
    assert told.faults(3.1) == ["vendor is silent for 3.1 s, not stale"]
    told.price(3.2)
    assert told.faults(6.1) == []


@pytest.mark.parametrize("state", ["stale", "closed"])
def test_a_silence_that_is_said(told: Told, state: str) -> None:
    told.state(2.6, state)
    assert told.faults(60.0) == []


def test_a_feed_that_came_back_between_two_kills_of_its_exchange(told: Told) -> None:
    """As in a run of ten minutes: silent from 0, live for two seconds, silent for 7.4 s then."""
    told.state(2.6, "stale")
    told.state(5.4, "live")
    assert told.faults(7.4) == []
    told.state(8.0, "stale")
    assert told.faults(30.0) == []


def test_a_feed_that_stays_live_without_a_price(told: Told) -> None:
    told.state(2.6, "stale")
    told.state(5.4, "live")
    assert told.faults(8.3) == []
    assert told.faults(8.5) == ["vendor is silent for 8.5 s, not stale"]


def test_a_feed_that_is_called_live_again_and_again_without_a_price(told: Told) -> None:
    """Each time for less than its heartbeats."""
    for turn in range(1, MOST_REVIVALS + 1):
        told.state(3.0 * turn, "stale")
        told.state(3.0 * turn + 1.0, "live")
        assert told.faults(3.0 * turn + 2.0) == []
    told.state(20.0, "stale")
    told.state(21.0, "live")
    assert told.faults(21.5) == ["vendor is live 3 times without a price"]
    told.price(22.0)
    assert told.faults(22.1) == []
    told.state(25.0, "stale")
    told.state(26.0, "live")
    assert told.faults(26.1) == []


def test_a_client_that_comes_back_has_heard_nothing_yet(told: Told) -> None:
    told.now = 110.0
    told.witness.command({})
    told.at(10.5, type="recovered", symbols=["X"])
    assert told.faults(13.4) == []
    assert told.faults(13.6) == ["vendor is silent for 13.6 s, not stale"]
