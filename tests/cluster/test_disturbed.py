"""Whatever a network does to frames: the same rows in the end, and no wrong price on the way."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.pair import FEED, MS, SHARDS, Frames, Pair
from tests.cluster.source import GEOMETRY, rows_of
from ticker.cluster.outgoing import Outgoing

Step = Callable[[Pair, random.Random], None]


def trade(pair: Pair, chance: random.Random) -> None:
    row = chance.randrange(len(pair.source.table))
    pair.source.trade(row, chance.randrange(1, 1 << 40), chance.randrange(1, 500))


def quote(pair: Pair, chance: random.Random) -> None:
    bid = chance.randrange(1, 1 << 40)
    pair.source.quote(chance.randrange(len(pair.source.table)), bid, bid + 1)


def correct(pair: Pair, chance: random.Random) -> None:
    pair.source.correct(chance.randrange(len(pair.source.table)), chance.randrange(1, 1 << 40))


def add(pair: Pair, _: random.Random) -> None:
    if len(pair.source.table) < GEOMETRY.rows:
        pair.source.add(f"N{len(pair.source.table)}")


def restart(pair: Pair, _: random.Random) -> None:
    pair.box.restart()


def succeed(pair: Pair, chance: random.Random) -> None:
    """Another relay of the same box speaks from now on."""
    before = pair.outgoing.epoch
    pair.outgoing = Outgoing(pair.source.mapping, FEED, SHARDS, 10 * MS)
    pair.outgoing.begin(((before >> 8) + 1) << 8 | chance.randrange(1, 4))


STEPS: tuple[tuple[Step, int], ...] = (
    (trade, 60), (quote, 20), (correct, 4), (add, 8), (restart, 1), (succeed, 1),
)  # fmt: skip


def disturbed(frames: Frames, chance: random.Random) -> Frames:
    """The frames as a bad network hands them on."""
    found: Frames = []
    for kind, shard, frame in frames:
        luck = chance.random()
        if luck < 0.1:
            continue
        if luck < 0.15:
            flipped = bytearray(frame)
            flipped[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
            frame = bytes(flipped)
        found += [(kind, shard, frame)] * (2 if luck > 0.9 else 1)
        if luck > 0.95:
            found.append((kind, shard, chance.randbytes(chance.randrange(300))))
    if chance.random() < 0.3:
        chance.shuffle(found)
    return found


class Watch:
    """What readers may see of each row: prices that were published, and a seq that only grows."""

    def __init__(self) -> None:
        self.published: dict[tuple[str, str], set[tuple[int, int]]] = {}
        self.seqs: dict[tuple[str, str], int] = {}

    def source(self, pair: Pair) -> None:
        for name, (*_, values) in rows_of(pair.source.mapping).items():
            self.published.setdefault(name, {(0, 0)}).add((values["price"], values["volume"]))

    def box(self, pair: Pair) -> None:
        for name, (*_, values) in rows_of(pair.box.mapping).items():
            assert (values["price"], values["volume"]) in self.published[name], name
            assert values["seq"] >= self.seqs.get(name, 0), name
            self.seqs[name] = values["seq"]


def play(seed: int, steps: int) -> None:
    chance = random.Random(seed)
    pair, watch = Pair(), Watch()
    add(pair, chance)
    kinds: list[Any] = [step for step, _ in STEPS]
    weights = [weight for _, weight in STEPS]
    for _ in range(steps):
        chance.choices(kinds, weights)[0](pair, chance)
        watch.source(pair)
        if chance.random() < 0.5:
            pair.box.take(disturbed(pair.frames(), chance))
            watch.box(pair)
        if chance.random() < 0.1:
            pair.box.incoming.take_state(pair.outgoing.state_frame(pair.time), pair.time)
            pair.box.take(disturbed(pair.images(pair.box.incoming.wanting()), chance))
            watch.box(pair)
    pair.outgoing.look()
    pair.box.take(pair.frames())
    pair.heal()
    assert pair.box.incoming.wanting() == []
    watch.box(pair)
    pair.same()


@given(st.integers(0, 1 << 32))
def test_any_network_ends_with_the_same_rows_and_shows_no_wrong_price(seed: int) -> None:
    play(seed, 60)
