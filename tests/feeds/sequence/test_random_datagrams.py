"""Random bytes, and real packets with their framing broken, on a live feed's multicast groups: no
price changes, each is counted as bad, the feed goes on."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from tests.feeds.tables import rows_of
from ticker.cli import main
from ticker.feeds.transports.pcap import Capture
from ticker.feeds.workers.pipeline import build, default_session
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.segment import Geometry, create_feed, private_feed, remove
from ticker.shm.table import PriceTable

LOOPBACK = "127.0.0.1"
DAY = date(2026, 1, 5)
GEOMETRY = Geometry(64, 1, 1024)
PORT = 26_477
numbers = itertools.count(os.getpid() * 8)

CHILD = """
import sys
from ticker.config import parse
from ticker.feeds.workers.worker import FeedContext, run
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7))
"""
FEED = """
[[feeds]]
name = "noisy"
protocol = "{protocol}"
venue = "XTST"
lines = ["{a}:{port}", "{b}:{port}"]
interface = "127.0.0.1"
rows = 64
date = "2026-01-05"
heartbeat = 30
"""
SHOWN = (
    "price", "size", "volume", "trades", "seq", "open", "high", "low", "bid", "bid_size", "ask",
    "ask_size", "status", "exchange_time", "corrections",
)  # fmt: skip

Place = tuple[int, int, Literal["big", "little"]]
"""Where a number is: offset, bytes, order."""


@dataclass(frozen=True)
class Framing:
    """Where a session's packet says how many messages it has, and the first one how long it is;
    `within`: that length counts itself. `size`: where the packet says how long it is itself, if
    bytes behind that are no part of it."""

    count: Place
    first: Place
    within: bool = False
    size: Place | None = None

    def adds_up(self, data: bytes) -> bool:
        """The lengths fill the packet exactly: by chance, a changed one may still do so."""
        at, width, order = self.first
        for _ in range(number(data, self.count)):
            length = number(data, (at, width, order))
            at += length if self.within else width + length
        return at == len(data)


FRAMINGS = {
    "moldudp64": Framing((18, 2, "big"), (20, 2, "big")),
    "iextp": Framing((14, 2, "little"), (40, 2, "little")),
    "cboe_unit": Framing((2, 1, "little"), (8, 1, "little"), within=True),
    "xdp": Framing((3, 1, "little"), (16, 2, "little"), within=True, size=(0, 2, "little")),
}


def number(data: bytes, place: Place) -> int:
    at, width, order = place
    return int.from_bytes(data[at : at + width], order)


def group() -> str:
    """A multicast group that no other test of this machine uses now."""
    number = next(numbers)
    return f"239.193.{number >> 8 & 255}.{number & 255}"


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.001)


def add(data: bytes, place: Place, by: int) -> bytes:
    """`data` with a number in it changed."""
    at, width, order = place
    changed = (number(data, place) + by) % (1 << 8 * width)
    return data[:at] + changed.to_bytes(width, order) + data[at + width :]


def badly_framed(data: bytes, framing: Framing, chance: random.Random) -> bytes:
    """A real packet cut short, too long, with a count or a length that does not add up."""
    while True:
        by = chance.choice((-1, 1, 2, 100))
        more = chance.randint(1, 40)
        longer = add(data, framing.size, more) if framing.size else data
        found = chance.choice(
            (
                data[: chance.randrange(len(data))],
                longer + chance.randbytes(more),
                add(data, framing.count, by),
                add(data, framing.first, by),
            )
        )
        if len(found) != len(data) or not framing.adds_up(found):
            return found


class Live:
    """A worker in a process of its own, and the two groups that it listens to."""

    def __init__(self, protocol: str) -> None:
        self.name = f"/ticker.test-noise-{os.getpid()}-{next(numbers)}.noisy"
        self.mapping = create_feed(self.name, GEOMETRY, 7, time.time_ns())
        self.lines = [(group(), PORT), (group(), PORT)]
        self.counters = Counters(self.mapping)
        self.sent = 0
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        toml = FEED.format(protocol=protocol, a=self.lines[0][0], b=self.lines[1][0], port=PORT)
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, toml, self.name], stdout=subprocess.DEVNULL
        )
        heartbeat = Heartbeat(self.mapping)
        wait_for(lambda: heartbeat.epoch and heartbeat.state == "starting")
        began = heartbeat.time_ns
        wait_for(lambda: heartbeat.time_ns > began)  # it beats: its sockets are open

    def send(self, data: bytes) -> None:
        """On both lines; waits now and then, as a socket's buffer has an end."""
        for line in self.lines:
            self.out.sendto(data, line)
        self.sent += len(self.lines)
        if self.sent % 64 == 0:
            self.wait()

    def wait(self) -> None:
        """Until all that was sent has been received."""
        wait_for(lambda: self.counters["packets"] >= self.sent)
        assert self.counters["packets"] == self.sent
        assert self.process.poll() is None

    def close(self) -> None:
        self.out.close()
        self.process.terminate()
        self.process.wait(10)
        remove(self.name)


@pytest.fixture
def live() -> Iterator[Callable[[str], Live]]:
    made: list[Live] = []

    def make(protocol: str) -> Live:
        made.append(Live(protocol))
        return made[-1]

    yield make
    for each in made:
        each.close()


def day_of(protocol: str, folder: Path) -> list[bytes]:
    """The packets of a simulated day."""
    path = folder / "day.pcap"
    name = protocol.removesuffix("50")
    arguments = ["simulate", name, "--symbols", "20", "--messages", "4000", "--output", str(path)]
    if name == "pillar":
        arguments += ["--channels", "1"]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    return [payload for payload, _, _ in Capture(path)]


def shown(table: PriceTable) -> dict[str, dict[str, int]]:
    return {symbol: {name: row[name] for name in SHOWN} for symbol, row in rows_of(table).items()}


def without_noise(protocol: str, packets: list[bytes]) -> dict[str, dict[str, int]]:
    """What the same packets alone lead to."""
    mapping = private_feed(GEOMETRY, 1, 0)
    pipeline = build(mapping, protocol, None, DAY, venue="XTST")
    for now, data in enumerate(packets, 1):
        for line in (0, 1):
            pipeline.session.receive_data(data, line, now)
        pipeline.market.publish(now)
    assert Counters(mapping)["trades"] > 0
    return shown(PriceTable(mapping))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "pitch", "tops", "deep", "pillar"])
def test_no_price_changes(protocol: str, tmp_path: Path, live: Callable[[str], Live]) -> None:
    packets = day_of(protocol, tmp_path)
    framing = FRAMINGS[default_session(protocol)]
    feed = live(protocol)
    chance = random.Random(protocol)
    noise = 0
    for _ in range(500):
        feed.send(chance.randbytes(chance.randrange(1400)))
        noise += 2
    feed.wait()
    assert len(PriceTable(feed.mapping)) == 0
    for data in packets:
        for _ in range(3):
            noisy = len(data) > framing.first[0]
            feed.send(badly_framed(data, framing, chance) if noisy else chance.randbytes(7))
        feed.send(chance.randbytes(chance.randrange(1400)))
        noise += 8
        feed.wait()  # what comes after the real packet may be taken for a copy of it, unread
        feed.send(data)
    feed.wait()
    expected = without_noise(protocol, packets)
    wait_for(lambda: shown(PriceTable(feed.mapping)) == expected)
    refused = sum(feed.counters[name] for name in ("bad_packets", "other_session_packets"))
    assert refused == noise
    for name in ("gaps", "lost_messages", "short_messages", "unknown_types", "socket_drops"):
        assert feed.counters[name] == 0, name
