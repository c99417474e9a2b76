"""The feed worker as a process, over real sockets: live, stale, ended, killed and replaced."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from ticker.config import FeedConfig, parse
from ticker.errors import SegmentError
from ticker.feeds.pipeline import build
from ticker.feeds.session import resume_point
from ticker.feeds.simulate.itch import ItchMarket
from ticker.feeds.worker import FeedContext, FeedWorker
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.doorbell import Doorbell
from ticker.shm.liveness import Conditions
from ticker.shm.segment import Geometry, create_feed, create_gateway, private_feed, remove
from ticker.shm.table import PriceTable

LOOPBACK = "127.0.0.1"
GEOMETRY = Geometry(64, 1, 1024)
PACKET = 20
DAY = date(2026, 3, 27)
numbers = itertools.count(1)

CHILD = """
import sys
from ticker.config import parse
from ticker.feeds.worker import FeedContext, run
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7))
"""


def wait_for(what: Callable[[], Any], turn: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        turn()
        time.sleep(0.001)


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


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


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
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, self.toml, self.name], stdout=subprocess.DEVNULL
        )
        wait_for(lambda: self.heartbeat.epoch > epoch)
        wait_for(lambda: self.heartbeat.state == "starting" and self.beats())

    def beats(self) -> bool:
        before = self.heartbeat.time_ns
        wait_for(lambda: self.heartbeat.time_ns > before)
        return True

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    def rows(self) -> dict[str, dict[str, int]]:
        return {
            self.table.symbol(row): self.table.values(row) or {} for row in range(len(self.table))
        }

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        remove(self.name)


def text_of(value: object) -> str:
    """A value as TOML writes it: for these, as JSON does."""
    return json.dumps(value)


@pytest.fixture
def venue() -> Iterator[Venue]:
    made = Venue(6000)
    yield made
    made.close()


@pytest.fixture
def serve(venue: Venue) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def make(**settings: object) -> Served:
        made.append(Served(venue, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


SHOWN = (
    "price", "size", "volume", "trades", "seq", "open", "high", "low", "bid", "bid_size", "ask",
    "ask_size", "status", "exchange_time", "corrections",
)  # fmt: skip


def shown(table: PriceTable) -> dict[str, dict[str, int]]:
    values = {table.symbol(row): table.values(row) or {} for row in range(len(table))}
    return {symbol: {name: row[name] for name in SHOWN} for symbol, row in values.items()}


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


@pytest.mark.slow
def test_publishes_what_two_lossy_lines_bring(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve()
    feed.start()
    while venue.next <= len(venue.messages):
        venue.send(500, loss=0.05)
        wait_for(lambda: feed.next == venue.next, venue.turn)
    assert shown(feed.table) == expected(venue)
    assert len(feed.table) == 20
    assert feed["messages"] == len(venue.messages)
    assert feed["gaps_filled_by_line"] > 0
    assert (feed["lost_messages"], feed["bad_packets"], feed["socket_drops"]) == (0, 0, 0)
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    assert feed.end() == 0
    assert feed.heartbeat.state == "stale"


@pytest.mark.slow
def test_silence_is_stale_and_the_end_is_ended(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve()
    feed.start()
    venue.send(100)
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    before = feed.heartbeat.last_message_ns
    wait_for(lambda: feed.heartbeat.state == "stale")
    assert time.time_ns() - before >= 0.25e9, "two and a half heartbeats"
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    wait_for(lambda: feed.heartbeat.state == "ended", lambda: venue.announce(0xFFFF))
    venue.session, venue.next = b"NEXTDAY   ", 1
    venue.send(100)
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    assert feed["sessions"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("rebuild", [True, False])
def test_killed_and_replaced(venue: Venue, serve: Callable[..., Served], rebuild: bool) -> None:
    # As patient with this test's server, on a busy machine, as the test is with the worker.
    feed = serve(rebuild=rebuild, request_attempts=40)
    feed.start()
    for turn in range(3):
        venue.send(1000)
        wait_for(lambda: feed.next == venue.next, venue.turn)
        before = feed.rows()
        assert feed.end(signal.SIGKILL) == -signal.SIGKILL
        venue.send(500)
        feed.start()
        assert feed.rows() == before
        killed = time.monotonic()
        wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.turn)
        assert time.monotonic() - killed < 2
        assert feed.heartbeat.epoch == turn + 2
        assert_not_back(before, feed.rows())
    if rebuild:
        assert shown(feed.table) == expected(venue)
    assert feed["lost_messages"] == 0
    assert venue.requests > 0


@pytest.mark.slow
def test_a_rebuild_whose_history_is_gone_takes_nothing_back(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    """Its server answers nothing any more; new trades are newer than all that was shown."""
    feed = serve(request_timeout=0.2)
    feed.start()
    venue.send(4000)
    wait_for(lambda: feed.next == venue.next, venue.turn)
    before = feed.rows()
    feed.end(signal.SIGKILL)
    venue.kept_from = venue.next
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "recovering", venue.announce)
    venue.send(600)
    wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.turn)
    assert feed["lost_messages"] == 4000
    after = feed.rows()
    newer = [s for s in before if after[s]["exchange_time"] > before[s]["exchange_time"]]
    assert newer, "or nothing was tried"
    assert_not_back(before, after)
    for symbol, row in before.items():
        assert after[symbol]["high"] >= row["high"]
        assert 0 < after[symbol]["low"] <= row["low"]
        assert after[symbol]["open"] == row["open"]
        assert after[symbol]["trades"] >= row["trades"]
    volume = sum(row["volume"] for row in after.values())
    venue.send(500)
    wait_for(lambda: feed.next == venue.next, venue.turn)
    assert sum(row["volume"] for row in feed.rows().values()) > volume


@pytest.mark.slow
def test_with_the_simulated_exchange(serve: Callable[..., Served]) -> None:
    """Multicast on two lines that lose and reorder, paced by another process."""
    group = f"239.192.{128 | os.getpid() >> 8 & 127}.{os.getpid() & 255}"
    lines = [f"{group}:{free_port()}", f"{group}:{free_port()}"]
    rerequest = f"{LOOPBACK}:{free_port()}"
    feed = serve(lines=lines, rerequest=rerequest, heartbeat=1.0, date="today")
    command = [sys.executable, "-m", "ticker", "simulate", "itch", "--symbols", "20"]
    command += ["--rate", "20000", "--loss", "5%", "--reorder", "8", "--rerequest", rerequest]
    command += ["--line-a", lines[0], "--line-b", lines[1]]
    feed.start()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as exchange:
        try:
            wait_for(lambda: feed["messages"] > 10_000)
            before = feed.rows()
            feed.end(signal.SIGKILL)
            feed.start()
            killed = time.monotonic()
            wait_for(lambda: feed.heartbeat.state == "live")
            assert time.monotonic() - killed < 2
            wait_for(lambda: feed.rows() != before)
            wait_for(lambda: feed["messages"] > 40_000)
            assert_not_back(before, feed.rows())
        finally:
            exchange.terminate()
    wait_for(lambda: feed.heartbeat.state == "ended")
    assert feed["recovered_messages"] > 0
    assert feed["gaps_filled_by_line"] > 0
    assert (feed["lost_messages"], feed["bad_packets"], feed["unknown_orders"]) == (0, 0, 0)


@pytest.mark.slow
def test_joins_late_and_the_server_is_gone(venue: Venue, serve: Callable[..., Served]) -> None:
    venue.send(1000)
    feed = serve(rerequest=f"{LOOPBACK}:{free_port()}")
    feed.start()
    venue.send(1000)
    started = time.monotonic()
    wait_for(lambda: feed.heartbeat.state == "recovering" or feed.heartbeat.state == "live")
    wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.announce)
    assert time.monotonic() - started < 2
    assert feed["lost_messages"] == 1000
    assert feed["messages"] == 1000


@pytest.mark.slow
def test_a_worker_that_died_while_rebuilding_hides_its_place(
    venue: Venue, serve: Callable[..., Served]
) -> None:
    feed = serve(request_timeout=5.0)
    feed.start()
    venue.send(2000)
    wait_for(lambda: feed.next == venue.next, venue.turn)
    before = feed.rows()
    feed.end(signal.SIGKILL)
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "recovering", venue.announce)
    assert feed.rows() == before
    assert feed.next == venue.next
    feed.end(signal.SIGKILL)
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "live", venue.turn)
    assert_not_back(before, feed.rows())
    assert shown(feed.table) == expected(venue)


def test_refuses_a_segment_of_another_life(serve: Callable[..., Served]) -> None:
    feed = serve()
    with pytest.raises(SegmentError, match="boot id"):
        FeedWorker(feed.config, FeedContext(segment=feed.name, boot_id=8))
    with pytest.raises(SegmentError, match="no such segment"):
        FeedWorker(feed.config, FeedContext(segment=feed.name + "x", boot_id=7))


def test_rings_the_gateways_doorbells(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve()
    door = f"{feed.name}-gateway0"
    gateway = create_gateway(door, 7, 1)
    eventfd = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        doorbell = Doorbell(gateway, eventfd)
        doorbell.arm_from_python()
        context = FeedContext(segment=feed.name, boot_id=7, gateways=((door, eventfd),))
        worker = FeedWorker(feed.config, context)
        venue.send(200)
        worker.session.receive_data(venue.packet(1, 200), 0, time.time_ns())
        worker.market.set_publishing(True)
        worker.market.publish(time.time_ns())
        assert os.eventfd_read(eventfd) == 1
        worker.close()
    finally:
        os.close(eventfd)
        remove(door)


@pytest.mark.slow
def test_silence_shows_within_three_heartbeats(venue: Venue, serve: Callable[..., Served]) -> None:
    """Measured as a reader sees it that looks twice a second, as gateways do."""
    feed = serve(heartbeat=1.0)
    feed.start()
    venue.send(100)
    conditions = Conditions([feed.mapping])
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    conditions.look(time.time_ns())
    assert conditions.state(0) == "live"
    last = feed.heartbeat.last_message_ns
    seen = 0
    while not seen:
        time.sleep(0.5)
        now = time.time_ns()
        conditions.look(now)
        assert now - last < 20e9, "it is never noticed"
        seen = now if conditions.state(0) == "stale" else 0
    assert 2.5e9 <= seen - last <= 3.1e9, "three heartbeats, and 0.1 s for a busy machine"
    wait_for(lambda: feed.heartbeat.state == "stale")
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    conditions.look(time.time_ns())
    assert conditions.state(0) == "live"


@pytest.mark.slow
def test_a_killed_worker_shows_as_silence_does(venue: Venue, serve: Callable[..., Served]) -> None:
    feed = serve(heartbeat=0.4)
    feed.start()
    venue.send(100)
    wait_for(lambda: feed.heartbeat.state == "live", venue.announce)
    conditions = Conditions([feed.mapping])
    feed.end(signal.SIGKILL)
    last = feed.heartbeat.last_message_ns

    def stale() -> bool:
        conditions.look(time.time_ns())
        return conditions.state(0) == "stale"

    wait_for(stale)
    assert feed.heartbeat.state == "live", "it could say nothing any more"
    assert time.time_ns() - last <= 1.2e9
