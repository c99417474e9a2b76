"""All trades that a box tells, read from its rings."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from tests.cluster.servers import Box
from ticker.shm.layout import RecordKind
from ticker.shm.ring import RingReader
from ticker.shm.table import PriceTable

SALES = (RecordKind.RECORD_TRADE, RecordKind.RECORD_PRINT)
AT_ONCE = 100_000


class Told:
    """The numbers of the trades of each row, in the order in which a box told them, from now on."""

    def __init__(self, box: Box) -> None:
        self.mapping = box.feed("sim")
        self.rings = [RingReader(self.mapping, ring) for ring in range(self.mapping.ring_count)]
        self.numbers: dict[int, list[int]] = defaultdict(list)

    def look(self) -> bool:
        for ring in self.rings:
            for record in ring.take(AT_ONCE):
                if record["kind"] in SALES:
                    self.numbers[record["row"]].append(record["seq"])
        return True

    def holes(self) -> dict[int, list[int]]:
        """By row, the numbers after which one is missing, or which came again."""
        self.look()
        found = {
            row: [before for before, seq in pairwise(them) if seq != before + 1]
            for row, them in self.numbers.items()
        }
        return {row: them for row, them in found.items() if them}

    def all_told(self) -> bool:
        """Whether the last trade of each row is the one that the row shows."""
        self.look()
        table = PriceTable(self.mapping)
        shown = {row: table.values(row) for row in self.numbers}
        return all(
            values is not None and values["seq"] == self.numbers[row][-1]
            for row, values in shown.items()
        )
