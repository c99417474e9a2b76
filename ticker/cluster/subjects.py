"""The subjects of a feed on the bus. Law: the only place that spells them.

tk.NAME.FEED.t.SHARD        deltas: rows, and every trade
tk.NAME.FEED.t.pin.SYMBOL   the same of a pinned symbol
tk.NAME.FEED.r.SHARD        deltas of rows alone, conflated; .r.pin.SYMBOL likewise
tk.NAME.FEED.i.SHARD        images, by the number of the shard
tk.NAME.FEED.u.SHARD        images for boxes that do not follow the shard, which no log keeps
tk.NAME.FEED.c.SHARD        images for the log alone, so that it can be read from any time on
tk.NAME.FEED.a.LIFE.N       the log's acknowledgement of a relay's frame
tk.NAME.FEED.l.READER       what the log gives to a reader
tk.NAME.FEED.h              the feed's state, by its speaker
tk.NAME.FEED.q              questions for images
tk.NAME.FEED.b              what boxes say of themselves
"""

from __future__ import annotations

from collections.abc import Sequence

LANES = {"ticks": "t", "rows": "r"}
PIN = ".pin."
MOST_KNOWN = 1 << 14
"""Subjects whose shards are kept: all of the most shards, for deltas, images and refreshes."""


class Subjects:
    """Of one feed of a cluster.

    Args:
        shards: the hashed ones; the pinned symbols have the numbers behind them.
        pinned: in the order of the configuration.

    Attributes:
        deltas: the subjects of all deltas.
        shards: the shard of a subject that came.
    """

    def __init__(
        self,
        cluster: str,
        feed: str,
        lane: str = "ticks",
        shards: int = 0,
        pinned: Sequence[str] = (),
    ) -> None:
        self.base = f"tk.{cluster}.{feed}"
        letter = LANES[lane]
        self.deltas = [f"{self.base}.{letter}.*"]
        if pinned:
            self.deltas.append(f"{self.base}.{letter}{PIN}>")
        self.images = f"{self.base}.i.*"
        self.refreshes = f"{self.base}.u.*"
        self.checkpoints = f"{self.base}.c.*"
        self.state = f"{self.base}.h"
        self.questions = f"{self.base}.q"
        self.notices = f"{self.base}.b"
        self._delta = f"{self.base}.{letter}.".encode()
        self._image = f"{self.base}.i.".encode()
        self._refresh = f"{self.base}.u.".encode()
        self._checkpoint = f"{self.base}.c.".encode()
        self._pinned = [f"{self.base}.{letter}{PIN}{symbol}".encode() for symbol in pinned]
        self._first_pinned = shards
        self.shards = Shards({subject: shards + at for at, subject in enumerate(self._pinned)})

    def delta(self, shard: int) -> bytes:
        at = shard - self._first_pinned
        if self._pinned and at >= 0:
            return self._pinned[at]
        return b"%b%d" % (self._delta, shard)

    def refresh(self, shard: int) -> bytes:
        return b"%b%d" % (self._refresh, shard)

    def image(self, shard: int) -> bytes:
        return b"%b%d" % (self._image, shard)

    def checkpoint(self, shard: int) -> bytes:
        return b"%b%d" % (self._checkpoint, shard)

    def acknowledgement(self, life: int) -> str:
        """Of frames of this life of a relay, each by its number."""
        return f"{self.base}.a.{life:x}"

    def reader(self, name: str) -> str:
        return f"{self.base}.l.{name}"

    def shard(self, subject: bytes) -> int:
        """The shard of deltas or images that came by a subject; -2, which no frame is of: none."""
        return self.shards[subject]


class Shards(dict[bytes, int]):
    """The shards of the subjects that came, as `Subjects.shard` has them."""

    def __missing__(self, subject: bytes) -> int:
        found = shard_in(subject)
        if len(self) < MOST_KNOWN:
            self[subject] = found
        return found


def shard_in(subject: bytes) -> int:
    """The shard that a subject ends with; -2, which no frame is of: with none."""
    last = subject.rpartition(b".")[2]
    return int(last) if last.isdigit() and len(last) < 6 else -2


def feed_in(subject: bytes) -> str:
    """The feed of a subject."""
    return subject.split(b".")[2].decode()
