"""A symbol's price is read again from the rows of two feeds while one of them trades.

The trade comes behind the look at its row's seq, and before the look at its price. A trap on the
other feed's page (trap.c) puts it there each time.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ticker.gateway.bars.book import BarBook
from ticker.gateway.hub.hub import Hub
from ticker.gateway.hub.intake import Intake
from ticker.gateway.hub.sales import Sales
from ticker.gateway.hub.shared_frames import SharedFrames
from ticker.gateway.hub.topics import Topics
from ticker.gateway.hub.trade_log import TradeLog
from ticker.gateway.pacing.rates import Rates
from ticker.gateway.prices.board import Board
from ticker.gateway.sockets.connection import ConnectionTable, Encoding
from ticker.gateway.sockets.sender import Sender
from ticker.shm import segment
from ticker.shm.header import KIND_FEED
from ticker.shm.layout import BODY_OFFSET
from ticker.shm.table import TableWriter

E9 = 1_000_000_000
PRICE = 0
ROW_BYTES = 448
"""Of a row with the words that a trade changes (shm/layout.pxd); row 0 is at BODY_OFFSET."""
FEEDS = ("first", "second")


class Venues:
    """Two feeds with one symbol, and the parts of a gateway that tell its price to one client."""

    def __init__(self, instance: str) -> None:
        self.names = [segment.feed_name(instance, feed) for feed in FEEDS]
        size = segment.Geometry(16, 1, 16)
        self.tables = [TableWriter(segment.create_feed(name, size, 1, 1)) for name in self.names]
        for table in self.tables:
            table.add("AAPL", "XNAS")
        mappings = [segment.attach(name, KIND_FEED) for name in self.names]
        own = segment.private_gateway(1)
        board, topics = Board(list(zip(FEEDS, mappings, strict=True))), Topics()
        bars = BarBook(board, None, own)
        self.sales = Sales(board, topics, TradeLog(16), mappings)
        intake = Intake(board, topics, self.sales, bars, mappings, own)
        self.connections = ConnectionTable(own, 4, 1 << 20, E9, E9, E9)
        frames = SharedFrames(topics, self.sales, bars, own)
        rates = Rates(E9, E9, paced=False)
        sender = Sender(self.connections)
        self.hub = Hub(
            intake, frames, self.connections, sender, own, rates, time.monotonic_ns(), 16
        )
        self.seq = 0

    def trade(self, price: int, time_ns: int) -> None:
        """One more on the first feed; the rings do not have it yet."""
        self.seq += 1
        self.tables[0].put(
            0,
            price=price * E9,
            size=100,
            exchange_time=time_ns,
            receive_time=time_ns,
            publish_time=time_ns,
            seq=self.seq,
        )

    def told(self) -> tuple[int, float]:
        """(seq, price) of the snapshot that a new client gets."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            number = self.connections.adopt(ours.detach(), time.monotonic_ns())
            self.connections.open(number, b"", Encoding.JSON)
            assert self.hub.subscribe(number, [0], PRICE, time.time_ns()) == 1
            frame = theirs.recv(4096)
        snapshot = json.loads(frame[frame.index(b"{") :])
        return snapshot["seq"], snapshot["price"]


def mapped(name: str, rights: str) -> int:
    """The address of a segment that this process has mapped with these rights."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(f"/dev/shm{name}") and line.split()[1] == rights:
            return int(line.split("-")[0], 16)
    raise AssertionError(f"{name} is not mapped {rights}")


@pytest.fixture
def venues() -> Iterator[Venues]:
    made = Venues(f"reload{os.getpid()}")
    yield made
    for name in made.names:
        segment.remove(name)


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "no C compiler"
    library = tmp_path_factory.mktemp("trap") / "trap.so"
    source = Path(__file__).with_name("trap.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    loaded = ctypes.CDLL(str(library))
    size, address = ctypes.c_size_t, ctypes.c_void_p
    loaded.arm.argtypes = [address, size, address, address, size]
    return loaded


@pytest.mark.slow
def test_a_trade_that_comes_while_its_row_is_read_has_its_own_seq(
    venues: Venues, trap: ctypes.CDLL
) -> None:
    """Both trades have the same microsecond: nothing but `seq` tells them apart."""
    now = time.time_ns() // 1000 * 1000
    venues.tables[1].put(0, price=99 * E9, exchange_time=now - E9, publish_time=now - E9, seq=1)
    venues.trade(100, now - E9)
    venues.sales.renew([0])
    assert venues.told() == (2, 100.0)
    row = mapped(venues.names[0], "rw-s") + BODY_OFFSET
    page = mapped(venues.names[1], "r--s") + BODY_OFFSET
    assert page % mmap.PAGESIZE == 0
    venues.trade(101, now)
    shown = ctypes.string_at(row, ROW_BYTES)
    venues.trade(102, now)
    coming = ctypes.create_string_buffer(ctypes.string_at(row, ROW_BYTES), ROW_BYTES)
    ctypes.memmove(row, shown, ROW_BYTES)

    assert trap.arm(page, mmap.PAGESIZE, row, ctypes.addressof(coming), ROW_BYTES) == 0
    venues.sales.renew([0])
    assert trap.disarm() == 1, "the second feed's row was read"
    assert venues.told() == (4, 102.0)
