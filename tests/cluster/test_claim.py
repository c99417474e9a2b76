"""Who speaks: boxes, a bus that may be cut, and a clock, all simulated."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.cluster.claim import MS, Claim, Turn

SILENCE = 400 * MS
STEP = 10 * MS


def test_a_box_alone_speaks_after_the_silence() -> None:
    claim = Claim(1, SILENCE, 7, 0)
    claim.ponged(440 * MS)
    assert claim.turn(449 * MS, fit=True) is Turn.NOTHING
    assert claim.turn(450 * MS, fit=True) is Turn.BEGIN
    assert (claim.epoch, claim.speaks) == (1 << 8 | 1, True)
    assert claim.turn(451 * MS, fit=True) is Turn.NOTHING


@pytest.mark.parametrize(("fit", "pong"), [(False, 990), (True, 0), (True, 500)])
def test_a_box_without_the_feed_or_cut_off_claims_nothing(fit: bool, pong: int) -> None:
    claim = Claim(1, SILENCE, 7, 0)
    claim.ponged(pong * MS)
    assert claim.turn(1000 * MS, fit=fit) is Turn.NOTHING


def test_a_box_that_waits_is_quiet_while_another_one_speaks() -> None:
    claim = Claim(2, SILENCE, 7, 0)
    for ms in range(0, 5000, 100):
        claim.ponged(ms * MS)
        assert not claim.heard(5 << 8 | 1, 8, ms * MS)
        assert claim.turn(ms * MS, fit=True) is Turn.NOTHING
    claim.ponged(5300 * MS)
    assert claim.turn(4900 * MS + SILENCE + 100 * MS, fit=True) is Turn.BEGIN
    assert claim.epoch == 6 << 8 | 2


def speaking(rank: int = 1, boot: int = 7) -> Claim:
    claim = Claim(rank, SILENCE, boot, 0)
    claim.ponged(1000 * MS)
    assert claim.turn(1000 * MS, fit=True) is Turn.BEGIN
    return claim


def test_a_speaker_stops_at_a_higher_epoch_and_at_no_other() -> None:
    claim = speaking()
    assert not claim.heard(claim.epoch, 7, 1001 * MS)  # its own
    assert not claim.heard(claim.epoch - 1, 8, 1001 * MS)
    assert claim.speaks
    assert claim.heard(claim.epoch + 1, 8, 1001 * MS)
    assert (claim.speaks, claim.yields) == (False, 1)


def test_of_two_boxes_with_one_rank_one_stops() -> None:
    one, two = speaking(boot=7), speaking(boot=8)
    assert not two.heard(one.epoch, 7, 1001 * MS)
    assert one.heard(two.epoch, 8, 1001 * MS)
    assert (one.speaks, two.speaks) == (False, True)


def test_a_box_that_was_forgotten_claims_above_what_bridges_have_heard() -> None:
    claim = speaking()
    assert claim.told(9 << 8 | 3, 1001 * MS)
    claim.ponged(1500 * MS)
    assert claim.turn(1400 * MS, fit=True) is Turn.NOTHING
    assert claim.turn(1451 * MS, fit=True) is Turn.BEGIN
    assert claim.epoch == 10 << 8 | 1


def test_an_older_speaker_that_is_still_heard_keeps_nobody_quiet() -> None:
    claim = Claim(2, SILENCE, 7, 0)
    claim.heard(5 << 8 | 1, 8, 0)
    claim.ponged(900 * MS)
    claim.heard(4 << 8 | 3, 9, 900 * MS)
    assert claim.turn(1000 * MS, fit=True) is Turn.BEGIN


# Many boxes, and a bus


@dataclass
class Node:
    """A box of the simulation. Its state goes out each 100 ms while it speaks."""

    rank: int
    claim: Claim
    side: int = 0
    paused_until: int = 0
    epochs: list[int] = field(default_factory=list)


@dataclass
class World:
    """Boxes on sides of a bus that hear nothing of each other."""

    nodes: list[Node]
    chance: random.Random
    now: int = 0

    def step(self) -> None:
        self.now += STEP
        for node in self.nodes:
            if node.paused_until > self.now:
                continue
            node.claim.ponged(self.now)
            if node.claim.turn(self.now, fit=True) is Turn.BEGIN:
                node.epochs.append(node.claim.epoch)
            if node.claim.speaks and self.now % (100 * MS) < STEP:
                self.say(node)

    def say(self, node: Node) -> None:
        for other in self.nodes:
            if other.side == node.side and other.paused_until <= self.now:
                other.claim.heard(node.claim.epoch, node.rank, self.now)

    def speakers(self, side: int) -> list[Node]:
        return [node for node in self.nodes if node.side == side and node.claim.speaks]

    def run(self, ms: int) -> None:
        for _ in range(ms * MS // STEP):
            self.step()


def world(seed: int, count: int) -> World:
    nodes = [Node(rank, Claim(rank, SILENCE, rank, 0)) for rank in range(1, count + 1)]
    return World(nodes, random.Random(seed))


@given(st.integers(0, 1 << 32), st.integers(1, 4))
def test_whatever_is_cut_and_stopped_one_speaks_in_the_end(seed: int, count: int) -> None:
    them = world(seed, count)
    for _ in range(6):
        node = them.chance.choice(them.nodes)
        if them.chance.random() < 0.5:
            node.side = them.chance.randrange(2)
        else:
            node.paused_until = them.now + them.chance.randrange(100, 3000) * MS
        them.run(them.chance.randrange(50, 1500))
    for node in them.nodes:
        node.side, node.paused_until = 0, 0
    them.run(1500)
    (speaker,) = them.speakers(0)
    # nobody ever spoke in an epoch of another one, and none went back
    every = [epoch for node in them.nodes for epoch in node.epochs]
    assert len(set(every)) == len(every)
    for node in them.nodes:
        assert node.epochs == sorted(node.epochs)
        assert all(epoch & 0xFF == node.rank for epoch in node.epochs)
    assert speaker.claim.epoch == max(every)


@given(st.integers(0, 1 << 32))
def test_the_standby_speaks_within_six_tenths_of_a_second(seed: int) -> None:
    them = world(seed, 2)
    them.run(1500)
    (active,) = them.speakers(0)
    active.paused_until = them.now + 10_000 * MS
    them.run(600)
    assert [node for node in them.speakers(0) if node is not active]
    # the old one wakes up, hears the other, and stops
    active.paused_until = 0
    them.run(150)
    assert active not in them.speakers(0)
