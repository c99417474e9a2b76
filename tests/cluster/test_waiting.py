"""Trades that wait for a bus, or for a box that begins to speak: a second at full pace is kept."""

from __future__ import annotations

import pytest

from tests.cluster.pair import Pair
from ticker.shm.layout import RecordKind
from ticker.shm.ring import RingWriter

MANY = 600_000


@pytest.mark.slow
def test_a_relay_that_got_no_turn_for_half_a_second_at_full_pace_drops_nothing() -> None:
    pair = Pair()
    row = pair.source.add("A")
    pair.join()
    ring: RingWriter = pair.source.rings[row % len(pair.source.rings)]
    step = 2000
    for _ in range(MANY // step):
        for _ in range(step):
            ring.put(row, RecordKind.RECORD_PRINT, price=1, size=1)
        pair.outgoing.gather()
    assert pair.outgoing.dropped == pair.outgoing.lapped == 0
    frames = pair.frames()
    assert len(frames) == -(-MANY // 8192)
