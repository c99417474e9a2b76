"""A bridge reads the log for its predecessor's trades while images still come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.pair import SHARDS, Frames, Pair
from tests.cluster.source import START
from ticker.cluster.log.filling import LogFilling
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig
from ticker.shm.layout import RecordKind
from ticker.shm.shards.sharding import Sharding

CLUSTER = ClusterConfig(name="test", servers=("nats://127.0.0.1:1",), shards=SHARDS)
SUBJECTS = Subjects("test", "feed", "ticks", SHARDS)


class ReadOnce:
    """A reading of a log of these frames: of the shards that were asked for, and to its end at
    once. Something happens meanwhile."""

    fault = ""

    def __init__(self, frames: Frames, shards: list[int], meanwhile: Callable[[], object]) -> None:
        self._left = [
            (SUBJECTS.delta(shard), frame) for _, shard, frame in frames if shard in shards
        ]
        self._meanwhile = meanwhile
        self.at_end = False

    async def run(self) -> None:
        await asyncio.Event().wait()

    def take(self, most: int) -> list[tuple[bytes, bytes]]:
        found, self._left = self._left[:most], self._left[most:]
        self._meanwhile()
        self.at_end = not self._left
        return found

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.001))


def test_trades_of_a_shard_whose_image_comes_while_the_log_is_read_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair, sharding = Pair(), Sharding(SHARDS)
    names = {sharding.number(f"S{number}"): f"S{number}" for number in range(20)}
    (early, one), (late, other) = sorted(names.items())[:2]
    rows = pair.source.add(one), pair.source.add(other)
    pair.join()
    for row in rows:
        pair.source.trade(row, 1)
    log = pair.frames()
    pair.box.take(log)
    pair.box.restart()
    pair.box.records()
    for price in (2, 3):
        for row in rows:
            pair.source.trade(row, price)
        log += pair.frames()
    incoming = pair.box.incoming
    readings: list[list[int]] = []

    def read(*args: Any) -> ReadOnce:
        shards: list[int] = args[3]
        readings.append(shards)
        return ReadOnce(log, shards, lambda: pair.box.take(pair.images([late])))

    monkeypatch.setattr("ticker.cluster.log.filling.deltas_since", read)

    async def fill() -> None:
        # It needs no bus: its reading is the one above.
        filling = LogFilling(None, CLUSTER, "feed", incoming, START)  # type: ignore[arg-type]
        pair.box.take(pair.images([early]))
        assert incoming.owing() == [early]
        async with asyncio.timeout(10):
            while incoming.owing():
                filling.turn()
                await asyncio.sleep(0)

    asyncio.run(fill())
    told = {(each["row"], each["price"]) for each in pair.box.records()
            if each["kind"] == RecordKind.RECORD_TRADE}  # fmt: skip
    assert {price for _, price in told} == {2, 3}
    assert len(told) == 4
    assert readings[0] == [early]
    assert incoming.late.lost == 0
