"""The subjects of a feed on the bus. Law: the only place that spells them.

tk.NAME.FEED.t.SHARD   deltas: rows, and every trade
tk.NAME.FEED.r.SHARD   deltas of rows alone, conflated
tk.NAME.FEED.i.SHARD   images
tk.NAME.FEED.c.SHARD   images for the log alone, so that it can be read from any time on
tk.NAME.FEED.a.LIFE.N  the log's acknowledgement of a relay's frame
tk.NAME.FEED.l.READER  what the log gives to a reader
tk.NAME.FEED.h         the feed's state, by its speaker
tk.NAME.FEED.q         questions for images
tk.NAME.FEED.b         what boxes say of themselves
"""

from __future__ import annotations

LANES = {"ticks": "t", "rows": "r"}


class Subjects:
    """Of one feed of a cluster."""

    def __init__(self, cluster: str, feed: str, lane: str = "ticks") -> None:
        self.base = f"tk.{cluster}.{feed}"
        letter = LANES[lane]
        self.deltas = f"{self.base}.{letter}.*"
        self.images = f"{self.base}.i.*"
        self.checkpoints = f"{self.base}.c.*"
        self.state = f"{self.base}.h"
        self.questions = f"{self.base}.q"
        self.notices = f"{self.base}.b"
        self._delta = f"{self.base}.{letter}.".encode()
        self._image = f"{self.base}.i.".encode()
        self._checkpoint = f"{self.base}.c.".encode()

    def delta(self, shard: int) -> bytes:
        return b"%b%d" % (self._delta, shard)

    def image(self, shard: int) -> bytes:
        return b"%b%d" % (self._image, shard)

    def checkpoint(self, shard: int) -> bytes:
        return b"%b%d" % (self._checkpoint, shard)

    def acknowledgement(self, life: int) -> str:
        """Of frames of this life of a relay, each by its number."""
        return f"{self.base}.a.{life:x}"

    def reader(self, name: str) -> str:
        return f"{self.base}.l.{name}"


def shard_in(subject: bytes) -> int:
    """The shard that a subject ends with; -2, which no frame is of: with none."""
    last = subject.rpartition(b".")[2]
    return int(last) if last.isdigit() and len(last) < 6 else -2


def feed_in(subject: bytes) -> str:
    """The feed of a subject."""
    return subject.split(b".")[2].decode()
