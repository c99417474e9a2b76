"""A Pillar feed as `ticker serve` runs it: two lines of one channel, over real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from tests.feeds.sessions.xdp_messages import E9, packet, say
from ticker.bench.rig.ports import free_port
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import Geometry, attach, create_feed, remove
from ticker.shm.table import PriceTable

CHILD = """
import sys
from ticker.config import parse
from ticker.feeds.workers.worker import FeedContext, run
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7))
"""


@pytest.mark.slow
def test_a_gap_on_one_line_is_filled_by_the_other_and_prices_go_out() -> None:
    ports = [free_port(), free_port()]
    lines = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    text = (
        f'[[feeds]]\nname = "nyse"\nprotocol = "pillar"\nvenue = "XNYS"\nrows = 16\n'
        f"lines = [{lines}]\n"
    )
    name = f"/ticker.test{os.getpid()}.pillar"
    create_feed(name, Geometry(rows=16, rings=1, ring_capacity=64), 7, 1)
    mapping = attach(name, KIND_FEED, boot_id=7)
    child = subprocess.Popen([sys.executable, "-c", CHILD, text, name])
    now = time.time_ns()
    packets = [
        packet(1, say.reference(now // E9), say.mapping(), sent=now),
        packet(3, say.add(1, "B", 100, 1_800_000), sent=now),
        packet(4, say.trade(100, 1_800_100, 5, ns=now % E9), sent=now),
    ]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            deadline = time.monotonic() + 20
            while Counters(mapping)["messages"] < 4 and time.monotonic() < deadline:
                for port, some in zip(ports, (packets[::2], packets), strict=True):
                    for each in some:
                        sender.sendto(each, ("127.0.0.1", port))
                time.sleep(0.02)
        values = PriceTable(mapping).values(0)
        assert values is not None
        assert (values["price"], values["bid"]) == (180_010_000_000, 180_000_000_000)
        assert values["exchange_time"] == now
        assert Counters(mapping)["lost_messages"] == 0
        assert Heartbeat(mapping).state in ("starting", "live")
    finally:
        child.terminate()
        child.wait()
        remove(name)


def sending(sequence: int, now: int, index: int, symbol: bytes, price: int) -> list[bytes]:
    """A channel's packets: its mapping, a bid and a sale of one symbol."""
    return [
        packet(sequence, say.reference(now // E9), say.mapping(index, symbol), sent=now),
        packet(sequence + 2, say.add(index, "B", 100, price, index=index), sent=now),
        packet(sequence + 3, say.trade(100, price + 100, 5, index=index, ns=now % E9), sent=now),
    ]


@pytest.mark.slow
def test_each_channel_has_its_own_sequence_and_is_filled_by_its_own_other_line() -> None:
    """Two channels with equal numbers; B of the second lost the first packet, A the others."""
    ports = [free_port() for _ in range(4)]
    a, b, second_a, second_b = (f'"127.0.0.1:{port}"' for port in ports)
    text = (
        f'[[feeds]]\nname = "nyse"\nprotocol = "pillar"\nvenue = "XNYS"\nrows = 16\n'
        f"lines = [{a}, {b}]\n[feeds.pillar]\nmore_lines = [[{second_a}, {second_b}]]\n"
    )
    name = f"/ticker.test{os.getpid()}.channels"
    create_feed(name, Geometry(rows=16, rings=1, ring_capacity=64), 7, 1)
    mapping = attach(name, KIND_FEED, boot_id=7)
    child = subprocess.Popen([sys.executable, "-c", CHILD, text, name])
    now = time.time_ns()
    first = sending(1, now, 7, b"AAPL", 1_800_000)
    second = sending(1, now, 9, b"IBM", 2_500_000)
    sent = zip(ports, (first, first, second[:1], second[1:]), strict=True)
    turns = [(port, each) for port, some in sent for each in some]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            deadline = time.monotonic() + 20
            while Counters(mapping)["messages"] < 8 and time.monotonic() < deadline:
                for port, each in turns:
                    sender.sendto(each, ("127.0.0.1", port))
                time.sleep(0.02)
        table = PriceTable(mapping)
        found = {table.symbol(row): table.values(row) or {} for row in range(2)}
        assert found["AAPL"]["price"] == 180_010_000_000
        assert found["IBM"]["price"] == 250_010_000_000
        assert Counters(mapping)["messages"] == 8
        assert Counters(mapping)["lost_messages"] == 0
    finally:
        child.terminate()
        child.wait()
        remove(name)
