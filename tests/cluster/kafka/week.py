"""Seven days of a feed, made without waiting for them: frames with the times that they would have
had, written by the format alone (ticker/cluster/frame.pxd)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ticker.cluster.frame import FrameKind, Head, identity, make_frame
from ticker.cluster.subjects import Subjects
from ticker.shm.layout import RecordKind, RowFlag
from ticker.shm.shards.sharding import Sharding
from ticker.shm.table import FIELDS

SECOND = 1_000_000_000
DAYS = 7
STEP = 30 * SECOND
"""Between two frames of a shard."""
TRADES = 50
"""In each frame."""
IMAGES = 600 * SECOND
"""Between two images of a shard."""
EPOCH = 1 << 8 | 1
BOOT = 77
UNIT = 1_000_000_000
LAST = RowFlag.ROW_HAS_LAST | RowFlag.ROW_HAS_HIGH_LOW
TRADE = struct.Struct("<IBBHqQqQQ")
DEFINE = struct.Struct("<II24s8s8sQ")
ROW = struct.Struct("<II")
CHANGED = ("price", "size", "volume", "trades", "seq", "high", "low", "exchange_time",
           "receive_time", "publish_time", "flags")  # fmt: skip
MASK = sum(1 << FIELDS.index(name) for name in CHANGED)
ALL = (1 << 31) - 1


def price_of(time: int) -> int:
    """The one price that a trade of this time has."""
    return (1000 + time // 1_000_000 % 99_991) * UNIT


@dataclass
class Symbol:
    """One row, as its newest trade left it."""

    name: str
    row: int
    values: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0))

    def trade(self, time: int) -> bytes:
        values, price = self.values, price_of(time)
        values["seq"] += 1
        values["trades"] += 1
        values["volume"] += 100
        values["price"], values["size"], values["flags"] = price, 100, LAST
        values["high"] = max(values["high"], price)
        values["low"] = min(values["low"] or price, price)
        values["exchange_time"] = values["receive_time"] = values["publish_time"] = time
        seq = values["seq"]
        kind = RecordKind.RECORD_TRADE
        return TRADE.pack(self.row, kind, 0, 31, price, 100, time, seq, seq)

    def words(self, mask: int) -> bytes:
        found = [self.values[name] for at, name in enumerate(FIELDS) if mask >> at & 1]
        return ROW.pack(self.row, mask) + struct.pack(f"<{len(found)}Q", *found)

    def define(self) -> bytes:
        return DEFINE.pack(self.row, 0, self.name.encode(), b"XNAS", b"USD", 0)


class Week:
    """Of a feed of a cluster, up to the time `end`, ns."""

    def __init__(self, cluster: str, feed: str, shards: int, end: int) -> None:
        self.identity = identity(cluster, feed)
        self.subjects = Subjects(cluster, feed)
        self.begin, self.end = end - DAYS * 86_400 * SECOND, end
        self.batches = [0] * shards
        self.shards: list[list[Symbol]] = [[] for _ in range(shards)]
        sharding = Sharding(shards)
        for row in range(3 * shards):
            self.shards[sharding.number(f"WEEK{row}")].append(Symbol(f"WEEK{row}", row))

    @property
    def symbols(self) -> list[Symbol]:
        return [symbol for shard in self.shards for symbol in shard]

    def frames(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(publish time, subject, frame), in the order of time."""
        for time in range(self.begin, self.end, STEP):
            for shard, symbols in enumerate(self.shards):
                if not symbols:
                    continue
                if (time - self.begin) % IMAGES == 0:
                    yield time, self.subjects.image(shard), self._image(shard, time)
                yield time, self.subjects.delta(shard), self._delta(shard, time)

    def _delta(self, shard: int, time: int) -> bytes:
        symbols = self.shards[shard]
        trades = b"".join(
            symbols[at % len(symbols)].trade(time - STEP + at * (STEP // TRADES))
            for at in range(TRADES)
        )
        self.batches[shard] += 1
        body = b"".join(symbol.words(MASK) for symbol in symbols) + trades
        head = Head(FrameKind.FRAME_DELTA, shard, EPOCH, self.batches[shard], BOOT, time)
        return make_frame(head, self.identity, body, rows=len(symbols), trades=TRADES)

    def _image(self, shard: int, time: int) -> bytes:
        symbols = self.shards[shard]
        body = b"".join(symbol.define() for symbol in symbols)
        body += b"".join(symbol.words(ALL) for symbol in symbols)
        head = Head(FrameKind.FRAME_IMAGE, shard, EPOCH, self.batches[shard], BOOT, time)
        count = len(symbols)
        return make_frame(head, self.identity, body, defines=count, rows=count)
