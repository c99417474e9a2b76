"""A source, its frames, and a box that takes them, in one process and without a bus."""

from __future__ import annotations

from tests.cluster.source import GEOMETRY, START, Source, rows_of
from ticker.cluster.frame import identity
from ticker.cluster.incoming import Incoming
from ticker.cluster.outgoing import Outgoing
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed

FEED = identity("test", "feed")
SHARDS = 8
MS = 1_000_000
Frames = list[tuple[int, int, bytes]]


class Box:
    """A bridge with its segment; frames are handed to it."""

    def __init__(self, shards: int = SHARDS, geometry: Geometry = GEOMETRY) -> None:
        self.mapping = private_feed(geometry, 99, START)
        self.rings = [RingReader(self.mapping, ring) for ring in range(geometry.rings)]
        self.incoming = Incoming(self.mapping, FEED, shards)

    def restart(self) -> None:
        """As after a kill: a successor finds the segment."""
        self.incoming = Incoming(self.mapping, FEED, SHARDS)

    def take(self, frames: Frames) -> list[int]:
        return [self.incoming.take(frame, START, shard) for _, shard, frame in frames]

    def records(self) -> list[dict[str, int]]:
        return [record for ring in self.rings for record in ring.take(100_000)]


class Pair:
    """A source, its frames, and a box that takes them."""

    def __init__(self, epoch: int = 1 << 8 | 1) -> None:
        self.source = Source()
        self.outgoing = Outgoing(self.source.mapping, FEED, SHARDS, 10 * MS)
        self.outgoing.begin(epoch)
        self.box = Box()
        self.time = START

    def frames(self) -> Frames:
        self.time += 20 * MS
        self.outgoing.gather()
        return self.outgoing.flush(self.time)

    def images(self, shards: list[int] | None = None) -> Frames:
        wanted = list(range(SHARDS)) if shards is None else shards
        self.outgoing.gather()
        return self.outgoing.images(wanted, self.time)

    def join(self) -> None:
        self.box.take(self.images())
        assert self.box.incoming.wanting() == []

    def heal(self) -> None:
        """The state says what the speaker has published; images are asked until none is missing."""
        self.box.incoming.take_state(self.outgoing.state_frame(self.time), self.time)
        self.box.take(self.images(self.box.incoming.wanting()))

    def same(self) -> None:
        assert rows_of(self.box.mapping) == rows_of(self.source.mapping)
