"""Shards that clients watch are followed, the others have images: never a wrong row, and never a
gap that was none."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.pair import FEED as IDENTITY
from tests.cluster.pair import MS, SHARDS, Box, Pair
from tests.cluster.source import Source, count, rows_of
from ticker.cluster.incoming import Incoming, Verdict
from ticker.cluster.interest import KEEP, Interest, shards_of
from ticker.cluster.outgoing import Outgoing
from ticker.cluster.subjects import Subjects
from ticker.config import parse
from ticker.errors import ConfigError
from ticker.shm.shards.sharding import Sharding

BUS = '[cluster]\nname = "c"\nservers = ["nats://127.0.0.1:4222"]\n'
FEED = '[[feeds]]\nname = "f"\nfrom = "bus"\n'


def test_a_shard_is_followed_at_once_and_for_a_minute_after_the_last_watcher() -> None:
    interest = Interest(4)
    assert interest.look([0, 2, 0, 0], 0) == ([1], [])
    assert interest.look(None, 5) == ([], [])
    assert interest.look([1, 0, 0, 0], 10) == ([0], [])
    assert interest.look(None, 10 + KEEP - 1) == ([], [])
    assert interest.look([1, 1, 0, 0], 10 + KEEP - 1) == ([], []), "somebody came back"
    assert interest.look([1, 0, 0, 0], 20 + KEEP) == ([], [])
    assert interest.look(None, 19 + 2 * KEEP) == ([], [])
    assert interest.look(None, 20 + 2 * KEEP) == ([], [1])
    assert interest.followed == [True, False, False, False]


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_a_mask_says_which_shards(followed: list[bool]) -> None:
    interest = Interest(len(followed))
    interest.look([int(each) for each in followed], 0)
    assert shards_of(interest.mask()) == {at for at, each in enumerate(followed) if each}
    assert shards_of("") is None


def test_pinned_symbols_have_subjects_of_their_own() -> None:
    subjects = Subjects("c", "f", "ticks", 8, ("AAPL", "BRK.A"))
    assert subjects.deltas == ["tk.c.f.t.*", "tk.c.f.t.pin.>"]
    assert subjects.delta(7) == b"tk.c.f.t.7"
    assert subjects.delta(9) == b"tk.c.f.t.pin.BRK.A"
    assert subjects.shard(b"tk.c.f.t.pin.BRK.A") == 9
    assert subjects.shard(b"tk.c.f.i.8") == 8
    assert subjects.shard(b"tk.c.f.t.3") == 3
    assert subjects.shard(b"tk.c.f.t.pin.MSFT") == -2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('pinned = ["A", "A"]\n', "'A' stands there twice"),
        ('pinned = ["A..B"]\n', "two in a row"),
        ('pinned = ["A B"]\n', "cluster.pinned"),
        ('shards = 4096\npinned = ["A"]\n', "more than 4096"),
        ('interest = "watched"\n', "store.enabled = false"),
        ('interest = "some"\n', "cluster.interest"),
    ],
)
def test_wrong_keys_are_refused_by_name(more: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(BUS + more + FEED)
    assert said in str(refused.value)


class Followers:
    """A source, and a box that follows some of its shards."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.box = self.pair.box
        for shard in range(SHARDS):
            self.box.incoming.follow(shard, False)
        self.followed: set[int] = set()

    def follow(self, shard: int, wanted: bool) -> None:
        if wanted != (shard in self.followed):
            self.box.incoming.follow(shard, wanted)
            self.followed ^= {shard}

    def flush(self) -> None:
        """Deltas of followed shards come; the others were never sent."""
        frames = self.pair.frames()
        self.box.take([each for each in frames if each[1] in self.followed])

    def state(self) -> None:
        self.box.incoming.take_state(self.pair.outgoing.state_frame(self.pair.time), self.pair.time)

    def answer(self) -> None:
        wanted = self.box.incoming.wanting() + self.box.incoming.outdated(self.pair.time + MS)
        self.box.take(self.pair.images(wanted))


@given(st.integers(0, 1 << 32))
def test_rows_are_those_of_the_source_whoever_watches_and_there_is_no_gap(seed: int) -> None:
    chance = random.Random(seed)
    them = Followers()
    rows = [them.pair.source.add(f"S{n}") for n in range(20)]
    them.pair.join()
    for _ in range(60):
        for _ in range(chance.randrange(4)):
            them.pair.source.trade(chance.choice(rows), chance.randrange(1, 1000))
        if chance.random() < 0.3:
            them.follow(chance.randrange(SHARDS), chance.random() < 0.5)
        them.flush()
        if chance.random() < 0.4:
            them.state()
            them.answer()
    them.flush()
    them.state()
    them.answer()
    them.pair.same()
    assert them.box.incoming.wanting() == []
    assert count(them.box.mapping, "gaps") == 0
    assert count(them.box.mapping, "bad_packets") == 0


def test_a_frame_that_is_lost_of_a_followed_shard_is_a_gap() -> None:
    them = Followers()
    row = them.pair.source.add("A")
    shard = Sharding(SHARDS).number("A")
    them.pair.join()
    them.follow(shard, True)
    them.pair.source.trade(row, 5)
    them.flush()
    for _ in range(3):
        them.pair.source.trade(row, 6)
        lost = them.pair.frames()
    assert lost
    them.state()
    assert them.box.incoming.wanting() == [shard]
    them.answer()
    them.pair.same()
    assert count(them.box.mapping, "lost_messages") == 3


def test_only_what_is_newer_than_its_image_is_asked_for_and_not_too_often() -> None:
    them = Followers()
    row = them.pair.source.add("A")
    shard = Sharding(SHARDS).number("A")
    them.pair.join()
    them.state()
    now = them.pair.time
    assert them.box.incoming.outdated(now + 1000 * MS) == [], "nothing has changed"
    them.pair.source.trade(row, 5)
    them.flush()
    them.state()
    assert them.box.incoming.outdated(now + 1000 * MS) == [shard]
    assert them.box.incoming.outdated(now - 600 * MS) == [], "its image is new enough"
    assert rows_of(them.box.mapping) != rows_of(them.pair.source.mapping)
    them.answer()
    them.pair.same()
    assert them.box.incoming.wanting() == []


def test_boxes_that_pin_others_refuse_each_other() -> None:
    """The same number of shards, but not the same symbols: no row comes by a wrong shard."""
    source = Source()
    source.trade(source.add("A"), 5)
    source.trade(source.add("B"), 6)
    outgoing = Outgoing(source.mapping, IDENTITY, SHARDS, 0, pinned=("A",))
    outgoing.begin(1 << 8 | 1)
    box = Box()
    box.incoming = Incoming(box.mapping, IDENTITY, SHARDS, None, ("B",))
    images = outgoing.images(list(range(SHARDS + 1)), source.now)
    verdicts = {shard: box.incoming.take(frame, source.now, shard) for _, shard, frame in images}
    assert verdicts[SHARDS] == Verdict.VERDICT_REFUSED
    assert rows_of(box.mapping) == {}
    right = Box()
    right.incoming = Incoming(right.mapping, IDENTITY, SHARDS, None, ("A",))
    for _, shard, frame in images:
        assert right.incoming.take(frame, source.now, shard) == Verdict.VERDICT_TAKEN
    assert rows_of(right.mapping) == rows_of(source.mapping)
