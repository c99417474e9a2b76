"""A reader of a book beside its writer, which is killed again and again."""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

import pytest

from ticker.shm.depth.rows import DepthReader, DepthWriter
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import TableWriter

KILLS, READS = 10, 2000


def writing(mapping: Mapping) -> int:
    """The pid of a child that writes books, each of one number alone, as deep as it says."""
    pid = os.fork()
    if pid:
        return pid
    try:
        writer = DepthWriter(mapping)
        book: Any = DepthReader(mapping).book(0)
        for number in itertools.count(book["time"] if book else 1):
            deep = 1 + number % 50
            writer.put(0, 50, [(number, deep)] * deep, [(number, deep)] * (51 - deep), number)
    finally:
        os._exit(1)


def check(book: Any) -> tuple[int, int]:
    """That a book is one publication; its seq and its number."""
    number = book["time"]
    deep = 1 + number % 50
    assert book["bids"] == [(number, deep)] * deep
    assert book["asks"] == [(number, deep)] * (51 - deep)
    return book["seq"], number


@pytest.mark.slow
def test_no_book_is_torn_and_none_goes_back() -> None:
    mapping = private_feed(Geometry(1, 1, 2, depth_rows=1), 1, 1)
    TableWriter(mapping).add("A")
    reader = DepthReader(mapping)
    last = (0, 0)
    for _ in range(KILLS):
        pid = writing(mapping)
        read = 0
        while read < READS:
            book = reader.book(0)
            if book is not None:
                found = check(book)
                assert found >= last
                last, read = found, read + 1
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert check(reader.book(0)) >= last
    assert last[0] > KILLS
