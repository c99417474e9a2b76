"""Which shards a bridge follows: those that clients watch.

Law: no I/O and no clock. A shard is followed as soon as somebody watches it, and for KEEP after the
last one has gone: clients come back.
"""

from __future__ import annotations

from collections.abc import Sequence

from ticker.cluster.claim import MS

KEEP = 60_000 * MS
"""ns for which a shard is followed that nobody watches any more."""


class Interest:
    """Of one bridge, over `shards` of them; none is followed at first.

    Attributes:
        followed: by shard.
        watchers: subscriptions of clients, by shard, as they were last said.
    """

    def __init__(self, shards: int) -> None:
        self.followed = [False] * shards
        self.watchers = [0] * shards
        self._gone: dict[int, int] = {}  # when the last one went, of the followed shards

    def look(self, watchers: Sequence[int] | None, now: int) -> tuple[list[int], list[int]]:
        """The shards to follow from now on, and those to follow no more. `watchers`: None: they are
        as they were."""
        begin, end = [], []
        if watchers is not None:
            self.watchers = list(watchers)
            for shard, count in enumerate(watchers):
                if count:
                    self._gone.pop(shard, None)
                    if not self.followed[shard]:
                        self.followed[shard] = True
                        begin.append(shard)
                elif self.followed[shard]:
                    self._gone.setdefault(shard, now)
        for shard, since in list(self._gone.items()):
            if now - since >= KEEP:
                del self._gone[shard]
                self.followed[shard] = False
                end.append(shard)
        return begin, end

    def mask(self) -> str:
        """The followed shards as the bits of a hexadecimal number."""
        return f"{sum(1 << shard for shard, each in enumerate(self.followed) if each):x}"


def shards_of(mask: str) -> set[int] | None:
    """The shards of a mask; None, of an empty one: all."""
    if not mask:
        return None
    try:
        bits = int(mask, 16)
    except ValueError:
        return None
    return {shard for shard in range(bits.bit_length()) if bits >> shard & 1}
