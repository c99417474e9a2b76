"""When which shard's rows come into the log as a whole.

Law: no I/O and no clock.
"""

from __future__ import annotations


class Checkpoints:
    """All shards, one after the other, once in each `interval` (s)."""

    def __init__(self, shards: int, interval: float) -> None:
        self._shards = shards
        self._steps = shards / interval
        self._owed = 0.0
        self._next = 0

    def due(self, seconds: float) -> list[int]:
        """The shards whose turn it is, after so many seconds."""
        self._owed = min(self._owed + seconds * self._steps, self._shards)
        found = []
        while self._owed >= 1:
            self._owed -= 1
            found.append(self._next)
            self._next = (self._next + 1) % self._shards
        return found
