"""Messages of a venue that were lost for good, as the ledger of a feed's gaps has them.

In: the feed's segment, read-only. Out: each loss once, with its gap. Owned by a recorder.
"""

from __future__ import annotations

from ticker.shm.counters import Counters
from ticker.shm.gap_view import GapView
from ticker.shm.gaps import GapReader
from ticker.shm.header import Mapping


class Losses:
    """Those from now on.

    A feed that keeps no ledger, like a recording that is played with faults, has the number alone.
    """

    def __init__(self, mapping: Mapping) -> None:
        self.reader = GapReader(mapping)
        self.counters = Counters(mapping)
        self._sum = lost_of(self.reader.sums())
        self._told = {gap.number: lost_of(gap) for gap in self.reader.last()}
        self._counted = self.counters["lost_messages"]

    def new(self, limit: int) -> list[tuple[int, GapView | None]]:
        """Up to `limit` losses since the last call, the oldest gap first: the number of messages,
        and the gap; None: the ledger has it no longer one by one."""
        sums = self.reader.sums()
        if not sums.number:
            return self._counted_alone()
        if lost_of(sums) == self._sum:
            return []
        found: list[tuple[int, GapView | None]] = []
        gaps = self.reader.last()  # after the sums: each loss that is in them is in one of these
        for gap in gaps:
            lost = lost_of(gap) - self._told.get(gap.number, 0)
            if lost > 0:
                if len(found) == limit:
                    return found
                found.append((lost, gap))
                self._told[gap.number] = lost_of(gap)
                self._sum += lost
        if (lost := lost_of(sums) - self._sum) > 0 and len(found) < limit:
            found.append((lost, None))
            self._sum += lost
        kept = {gap.number for gap in gaps}
        self._told = {number: lost for number, lost in self._told.items() if number in kept}
        return found

    def _counted_alone(self) -> list[tuple[int, GapView | None]]:
        counted = self.counters["lost_messages"]
        lost, self._counted = counted - self._counted, counted
        return [(lost, None)] if lost > 0 else []


def lost_of(gap: GapView) -> int:
    """Its numbers that were given up."""
    return gap.lost_upstream + gap.lost_downstream
