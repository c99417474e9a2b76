"""Every order of a writer's and a reader's steps, with a death after each of them.

The steps are the inline functions that the product is made of (ticker/bench/shm/steps.pyx), so
what holds here holds for the protocol; that the machine keeps the order of the steps is the
business of the fences, and of the stress runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations

import pytest

from ticker.bench.shm.steps import RecordSteps, RowSteps, pending, take_content
from ticker.shm import segment
from ticker.shm.ring import RingReader, RingWriter
from ticker.shm.table import TableWriter

Steps = list[Callable[[], object]]


def orders(reads: int, writes: int) -> Iterator[tuple[bool, ...]]:
    """All ways to merge `reads` and `writes` steps; True is a step of the reader."""
    for places in combinations(range(reads + writes), reads):
        yield tuple(at in places for at in range(reads + writes))


def play(order: tuple[bool, ...], reading: Steps, writing: Steps) -> list[object]:
    """Run the steps in this order; what the reader's steps returned."""
    reads, writes = iter(reading), iter(writing)
    found = []
    for is_read in order:
        if is_read:
            found.append(next(reads)())
        else:
            next(writes)()
    return found


def publication(steps: RowSteps, number: int) -> Steps:
    return [
        partial(steps.begin_write, number),
        partial(steps.write_half, 0),
        partial(steps.write_half, 1),
        steps.commit_write,
    ]


def row_run(death: int) -> tuple[RowSteps, Steps]:
    """A row that was published once (number 1), a reader's steps, and what its writers do then:
    one publishes 2 and 3 but dies after `death` steps, the next repairs and publishes 4."""
    mapping = segment.private_feed(segment.Geometry(1, 1, 2), 1, 1)
    table = TableWriter(mapping)
    table.add("A")
    first, second, reader = (RowSteps(table, 0) for _ in range(3))
    for step in publication(first, 1):
        step()
    doomed = publication(first, 2) + publication(first, 3)
    return reader, [*doomed[:death], partial(TableWriter, mapping), *publication(second, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("death", range(9))
def test_no_order_gives_a_torn_row(death: int) -> None:
    taken = set()
    refused = 0
    for order in orders(4, death + 5):
        reader, writing = row_run(death)
        reading: Steps = [
            reader.begin_read,
            partial(reader.read_half, 0),
            partial(reader.read_half, 1),
            reader.read_was_whole,
        ]
        if play(order, reading, writing)[-1]:
            taken.add(reader.copied_number())
        else:
            refused += 1
    committed = 1 + death // 4
    assert taken == {*range(1, committed + 1), 4}
    assert bool(refused) == (death > 0)


def record(steps: RecordSteps, number: int, content: int) -> Steps:
    return [
        partial(steps.begin_write, number, content),
        partial(steps.write_half, 0),
        partial(steps.write_half, 1),
        steps.finish_write,
        steps.count_write,
    ]


class RingRun:
    """A ring of two records. One writer writes records 0, 1 and 2 with contents 1, 2 and 3, but
    dies after `death` steps; the next writes two more with contents 8 and 9. `watcher` looks
    after every step, `reader` is the one whose steps are cut up; it stands at record 0."""

    def __init__(self, death: int) -> None:
        self.mapping = segment.private_feed(segment.Geometry(1, 1, 2), 1, 1)
        self.watcher = RingReader(self.mapping, 0)
        self.seen: dict[int, int] = {}
        self.steps = RecordSteps(RingWriter(self.mapping, 0), RingReader(self.mapping, 0))
        doomed = [step for number in range(3) for step in record(self.steps, number, number + 1)]
        self.writing: Steps = [
            *(partial(self.watched, step) for step in doomed[:death]),
            partial(self.watched, self.succeed),
        ]

    def watched(self, step: Callable[[], object]) -> None:
        step()
        while pending(self.watcher):
            content = take_content(self.watcher, 9)
            assert content is not None
            assert content > 0
            self.seen[self.watcher.position - 1] = content

    def succeed(self) -> None:
        writer = RingWriter(self.mapping, 0)
        steps = RecordSteps(writer, RingReader(self.mapping, 0))
        for content in (8, 9):
            number = writer.cursor + content - 8
            for step in record(steps, number, content):
                self.watched(step)


@pytest.mark.slow
@pytest.mark.parametrize("death", range(16))
def test_no_order_gives_a_torn_or_a_second_record(death: int) -> None:
    taken = set()
    for order in orders(4, death + 1):
        run = RingRun(death)
        reading: Steps = [
            run.steps.begin_read,
            partial(run.steps.read_half, 0),
            partial(run.steps.read_half, 1),
            run.steps.read_was_whole,
        ]
        whole, _, _, still_whole = play(order, reading, run.writing)
        if whole and still_whole:
            taken.add(run.steps.copied_content(9))
        finished = (death + 1) // 5  # four steps make a record whole, the fifth counts it
        contents = [*range(1, finished + 1), 8, 9]
        assert [run.seen[number] for number in sorted(run.seen)] == contents
        assert (run.watcher.laps, run.watcher.position) == (0, len(contents))
    assert taken == ({1} if death >= 4 else {8})
