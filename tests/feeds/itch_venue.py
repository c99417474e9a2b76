"""A venue of ITCH on two lossy lines with a re-request server, and the workers of its feed."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import date

from tests.feeds.tables import rows_of
from tests.feeds.worker_process import LOOPBACK, WORKER, numbers, wait_for
from ticker.bench.rig.ports import free_port
from ticker.config import FeedConfig, parse
from ticker.feeds.session import resume_point
from ticker.feeds.workers.pipeline import build
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.segment import Geometry, create_feed, private_feed, remove
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.itch import ItchMarket

GEOMETRY = Geometry(64, 1, 1024)
PACKET = 20
DAY = date(2026, 3, 27)


class Venue:
    """Two lines, of which one loses packets, and a re-request server; driven by the test."""

    def __init__(self, messages: int) -> None:
        self.messages = framed(messages)
        self.session = b"TEST%06d" % next(numbers)
        self.next = 1
        self.chance = random.Random(1)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.setblocking(False)
        self.server.bind((LOOPBACK, 0))
        self.out.bind((LOOPBACK, 0))
        self.lines = [(LOOPBACK, free_port()), (LOOPBACK, free_port())]
        self.requests = 0
        self.kept_from = 1

    def packet(self, sequence: int, number: int) -> bytes:
        body = b"".join(self.messages[sequence - 1 : sequence - 1 + number])
        return self.session + sequence.to_bytes(8, "big") + number.to_bytes(2, "big") + body

    def send(self, number: int, loss: float = 0.0) -> None:
        """The next messages; each line loses packets by itself."""
        end = min(self.next + number, len(self.messages) + 1)
        for sequence in range(self.next, end, PACKET):
            data = self.packet(sequence, min(PACKET, end - sequence))
            for line in self.lines:
                if self.chance.random() >= loss:
                    self.out.sendto(data, line)
        self.next = end

    def announce(self, count: int = 0) -> None:
        """A heartbeat, or with 0xFFFF the end of session."""
        data = self.session + self.next.to_bytes(8, "big") + count.to_bytes(2, "big")
        for line in self.lines:
            self.out.sendto(data, line)

    def serve(self) -> None:
        """Answer what was asked, in several packets, if it is still kept."""
        while True:
            try:
                request, requester = self.server.recvfrom(64)
            except BlockingIOError:
                return
            self.requests += 1
            start = int.from_bytes(request[10:18], "big")
            end = min(start + int.from_bytes(request[18:20], "big"), self.next)
            if request[:10] == self.session and start >= self.kept_from:
                for sequence in range(start, end, PACKET):
                    data = self.packet(sequence, min(PACKET, end - sequence))
                    self.server.sendto(data, requester)

    def turn(self) -> None:
        self.serve()
        self.announce()

    def close(self) -> None:
        self.out.close()
        self.server.close()


def framed(messages: int) -> list[bytes]:
    """Each with its length before it, as MoldUDP64 has them."""
    buffer = bytearray(64 * messages + 65536)
    count, size = ItchMarket(20, 5, messages=messages).generate(messages, buffer)
    found, at = [], 0
    while at < size:
        length = 2 + int.from_bytes(buffer[at : at + 2], "big")
        found.append(bytes(buffer[at : at + length]))
        at += length
    assert len(found) == count
    return found


class Served:
    """A feed segment, the workers that serve it one after the other, and what readers see."""

    def __init__(self, venue: Venue, **settings: object) -> None:
        self.name = f"/ticker.test-worker-{os.getpid()}-{next(numbers)}.sim"
        self.mapping = create_feed(self.name, GEOMETRY, 7, time.time_ns())
        options = {
            "name": "sim",
            "protocol": "itch50",
            "session": "moldudp64",
            "venue": "XNAS",
            "calendar": "none",
            "lines": [f"{host}:{port}" for host, port in venue.lines],
            "rerequest": "{}:{}".format(*venue.server.getsockname()),
            "heartbeat": 0.1,
            "request_timeout": 0.05,
            "date": DAY.isoformat(),
            **settings,
        }
        lines = [f"{key} = {text_of(value)}" for key, value in options.items()]
        self.toml = "[[feeds]]\n" + "\n".join(lines)
        self.heartbeat = Heartbeat(self.mapping)
        self.table = PriceTable(self.mapping)
        self.process: subprocess.Popen[bytes] | None = None
        self.said = tempfile.TemporaryFile("w+b")  # noqa: SIM115

    @property
    def config(self) -> FeedConfig:
        return parse(self.toml).feeds[0]

    def __getitem__(self, name: str) -> int:
        return Counters(self.mapping)[name]

    @property
    def next(self) -> int:
        point = resume_point(self.mapping)
        return point[1] if point else 0

    def start(self) -> None:
        epoch = self.heartbeat.epoch
        self.process = subprocess.Popen(self.command(), stdout=self.said)
        wait_for(lambda: self.heartbeat.epoch > epoch)
        wait_for(lambda: self.heartbeat.state == "starting" and self.beats())

    def command(self) -> list[str]:
        return [sys.executable, "-c", WORKER, self.toml, self.name]

    def beats(self) -> bool:
        before = self.heartbeat.time_ns
        wait_for(lambda: self.heartbeat.time_ns > before)
        return True

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    def rows(self) -> dict[str, dict[str, int]]:
        return rows_of(self.table)

    def log(self) -> str:
        """What its workers have said."""
        self.said.flush()
        return os.pread(self.said.fileno(), 1 << 20, 0).decode()

    def close(self) -> None:
        self.said.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        remove(self.name)


def text_of(value: object) -> str:
    """A value as TOML writes it: for these, as JSON does."""
    return json.dumps(value)


SHOWN = (
    "price", "size", "volume", "trades", "seq", "open", "high", "low", "bid", "bid_size", "ask",
    "ask_size", "status", "exchange_time", "corrections",
)  # fmt: skip


def shown(table: PriceTable) -> dict[str, dict[str, int]]:
    return {symbol: {name: row[name] for name in SHOWN} for symbol, row in rows_of(table).items()}


def expected(venue: Venue) -> dict[str, dict[str, int]]:
    """What a pipeline shows that got every message so far once."""
    mapping = private_feed(GEOMETRY, 1, 0)
    pipeline = build(mapping, "itch50", "binaryfile", DAY, venue="XNAS")
    pipeline.session.receive_data(b"".join(venue.messages[: venue.next - 1]), 0, 1)
    pipeline.market.publish(1)
    return shown(PriceTable(mapping))


def assert_not_back(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> None:
    for symbol, row in before.items():
        for name in ("seq", "exchange_time", "publish_time", "quotes", "volume"):
            assert after[symbol][name] >= row[name], (symbol, name)
