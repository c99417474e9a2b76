"""Numbers of instruments beyond what an array holds: other feeds name them by 64-bit words."""

from __future__ import annotations

import random

from ticker.feeds.market.directory import Directory
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter


def directory(rows: int) -> Directory:
    return Directory(TableWriter(private_feed(Geometry(rows, 1, 16), 1, 1)))


def test_small_and_large_keys() -> None:
    found = directory(1000)
    chance = random.Random(5)
    keys = [chance.randrange(1 << 64) for _ in range(900)] + list(range(65_400, 65_600))
    for row, key in enumerate(keys):
        assert found.row(key) == -1
        found.bind_key(key, row)
    assert [found.row(key) for key in keys] == list(range(len(keys)))
    found.bind_key(keys[0], 7)
    found.bind_key(keys[-1], -2)
    assert (found.row(keys[0]), found.row(keys[-1])) == (7, -2)


def test_more_keys_than_there_is_room_for() -> None:
    found = directory(2)
    for key in range(100_000, 100_100):
        found.bind_key(key, 1)
    rows = [found.row(key) for key in range(100_000, 100_100)]
    assert rows.count(1) == 8
    assert set(rows) == {1, -2}
