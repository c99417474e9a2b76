"""A feed of several streams for tests of images: its messages, and pipelines that take them."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from datetime import date
from typing import Any

from tests.feeds.images.days import BOOT, FINGERPRINT
from tests.feeds.sessions.xdp_messages import packet
from tests.feeds.tables import rows_of
from ticker.feeds.day import midnight_ns
from ticker.feeds.images.image import Image
from ticker.feeds.images.imager import CHUNK_BYTES, Imager
from ticker.feeds.pillar.requests import ASKED
from ticker.feeds.session import SessionOptions
from ticker.feeds.workers.pipeline import build
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.pillar import PillarMarket
from ticker.simulate.speakers.pitch import PitchMarket

DAY = date(2026, 1, 5)
SECOND = 1_000_000_000
MS = 1_000_000
START = 1_767_625_200 * SECOND  # 10:00 that day in New York
GEOMETRY = Geometry(rows=64, rings=2, ring_capacity=65_536)
GAP_LINE = 2
QUIET = 2 * SECOND
COUNT = 12_000
OF_THE_MOMENT = {"receive_time", "publish_time", "quotes", "quote_time", "flags"}

Request = tuple[int, int, int]
"""Stream, first number, count."""


class Kind(ABC):
    """A protocol of several streams: what it is called, and how its packets look."""

    protocol = ""
    venue = ""
    streams: tuple[int, ...] = ()

    @abstractmethod
    def day(self) -> dict[int, list[bytes]]:
        """The messages of each stream."""

    @abstractmethod
    def broken(self, message: bytes) -> bytes:
        """The message that takes this one's execution back; empty: it is none."""

    @abstractmethod
    def packet(self, stream: int, first: int, messages: list[bytes], now: int) -> bytes: ...

    def line(self, stream: int, line: int) -> int:  # noqa: ARG002
        """What the transport says of a packet's line."""
        return line

    @abstractmethod
    def request(self, data: bytes) -> Request:
        """What the session asks for."""

    @abstractmethod
    def refuse(self, session: Any, request: Request, now: int) -> None:
        """The server has no more of it."""


class Pitch(Kind):
    """Cboe: units."""

    protocol = "pitch"
    venue = "BATS"
    streams = (1, 2, 3)

    def day(self) -> dict[int, list[bytes]]:
        buffer = bytearray(64 * COUNT + 65_536)
        market = PitchMarket(20, 9, units=3, messages=COUNT, start=36_000 * SECOND)
        _, size = market.generate(COUNT, buffer)
        found: dict[int, list[bytes]] = {unit: [] for unit in self.streams}
        at = 0
        while at < size:
            length = 1 + buffer[at + 1]
            found[buffer[at]].append(bytes(buffer[at + 1 : at + length]))
            at += length
        return found

    def broken(self, message: bytes) -> bytes:
        return struct.pack("<BBI8s", 14, 0x2C, 5, message[18:26]) if message[1] == 0x23 else b""

    def packet(self, stream: int, first: int, messages: list[bytes], now: int) -> bytes:  # noqa: ARG002
        body = b"".join(messages)
        return struct.pack("<HBBI", 8 + len(body), len(messages), stream, first) + body

    def request(self, data: bytes) -> Request:
        unit, first, number = struct.unpack("<BIH", data[10:17])
        return unit, first, number

    def refuse(self, session: Any, request: Request, now: int) -> None:
        session.gap_response(*request, "O", now)


class Pillar(Kind):
    """NYSE: channels, each on addresses of its own."""

    protocol = "pillar"
    venue = "XNYS"
    streams = (0, 1, 2)

    def day(self) -> dict[int, list[bytes]]:
        buffer = bytearray(96 * COUNT + 65_536)
        midnight = midnight_ns(DAY)
        market = PillarMarket(20, 9, messages=COUNT, midnight=midnight, channels=3)
        _, size = market.generate(COUNT, buffer)
        found: dict[int, list[bytes]] = {channel: [] for channel in self.streams}
        at = 0
        while at < size:
            length = int.from_bytes(buffer[at + 9 : at + 11], "little")
            found[buffer[at]].append(bytes(buffer[at + 9 : at + 9 + length]))
            at += 9 + length
        return found

    def broken(self, message: bytes) -> bytes:
        if message[2:4] != (103).to_bytes(2, "little"):
            return b""
        return struct.pack("<HHI4sI4s", 20, 112, 5, message[8:12], 1, message[24:28])

    def packet(self, stream: int, first: int, messages: list[bytes], now: int) -> bytes:  # noqa: ARG002
        return packet(first, *messages, sent=now)

    def line(self, stream: int, line: int) -> int:
        return line | stream << 8

    def request(self, data: bytes) -> Request:
        channel, first, last = ASKED.unpack(data)
        return channel, first, last - first + 1

    def refuse(self, session: Any, request: Request, now: int) -> None:
        channel, first, number = request
        session.request_response(channel, first, first + number - 1, "7", now)


DAYS: dict[str, dict[int, list[bytes]]] = {}


def days(kind: Kind) -> dict[int, list[bytes]]:
    """The messages of a kind's day, made once. Each fifth execution is broken, soon or late."""
    if kind.protocol not in DAYS:
        DAYS[kind.protocol] = {
            stream: with_breaks(kind, messages) for stream, messages in kind.day().items()
        }
    return DAYS[kind.protocol]


def with_breaks(kind: Kind, messages: list[bytes]) -> list[bytes]:
    found: list[bytes] = []
    due: dict[int, bytes] = {}
    executions = 0
    for number, message in enumerate(messages):
        found.append(message)
        if number in due:
            found.append(due[number])
        if taken_back := kind.broken(message):
            executions += 1
            if executions % 5 == 0:
                due[number + (20 if executions % 2 else 700)] = taken_back
    return found


class Side:
    """One worker's pipeline, on the segment and the places of its predecessor if it has one."""

    def __init__(self, kind: Kind, mapping: Mapping | None = None, **options: Any) -> None:
        self.kind = kind
        self.day = days(kind)
        self.mapping = mapping or private_feed(GEOMETRY, BOOT, 1)
        self.readers = [RingReader(self.mapping, ring) for ring in range(self.mapping.ring_count)]
        self.words = options.pop("places", None) or memoryview(bytearray(4096)).cast("Q")
        self.pipeline = build(
            self.mapping, kind.protocol, None, DAY, venue=kind.venue,
            session_options=SessionOptions(quiet_ns=QUIET, places=self.words, **options),
        )  # fmt: skip
        self.session: Any = self.pipeline.session
        self.market = self.pipeline.market
        self.now = START
        self.reached = dict.fromkeys(kind.streams, 0)

    @classmethod
    def after(cls, before: Side, image: Image, **options: Any) -> Side:
        """The successor, which has its predecessor's image and shows nothing yet."""
        made = cls(
            before.kind, before.mapping, places=before.words,
            resume=(image.session, image.sequence), **options,
        )  # fmt: skip
        made.now = before.now
        made.readers = before.readers
        made.market.adopt_rows(rebuild=True)
        made.market.set_publishing(False)
        image.restore(made.market)
        made.pipeline.protocol.restore_image(image.protocol_state)
        made.session.restore_image(image.session_state)
        made.reached = dict(before.reached)
        return made

    def __getitem__(self, counter: str) -> int:
        return Counters(self.mapping)[counter]

    def packet(self, stream: int, first: int, number: int, line: int = 0) -> None:
        """Some messages of a stream, on a line."""
        messages = self.day[stream][first - 1 : first - 1 + number]
        data = self.kind.packet(stream, first, messages, self.now)
        self.session.receive_data(data, self.kind.line(stream, line), self.now)
        self.market.publish(self.now)
        if self.market.publishing:
            self.session.save()

    def take(self, number: int, *, unheard: bool = False, streams: tuple[int, ...] = ()) -> None:
        """The next messages of each stream, on both lines; `unheard`: nobody listens."""
        streams = streams or self.kind.streams
        for at in range(0, number, 10):
            for stream in streams:
                self.now += 1000
                first = self.reached[stream] + at + 1
                for line in (0, 1) if not unheard else ():
                    self.packet(stream, first, min(10, number - at), line)
        for stream in streams:
            self.reached[stream] += number

    def asked(self) -> list[Request]:
        """The requests that are due."""
        self.now += MS
        return [self.kind.request(each) for each in self.session.data_to_send(self.now)]

    def answer(self, request: Request) -> None:
        """What the server sends to a request."""
        stream, first, number = request
        for at in range(0, number, 50):
            self.packet(stream, first + at, min(50, number - at), GAP_LINE)

    def recover(self) -> int:
        """The proxy answers until nothing is asked any more; messages that it sent."""
        sent = 0
        while requests := self.asked():
            for request in requests:
                sent += request[2]
                self.answer(request)
        return sent

    def is_level(self) -> bool:
        return bool(self.session.has_caught_up(None, self.now))

    def show(self) -> None:
        self.market.set_publishing(True, whole=not self.session.skipped)
        self.market.publish(self.now)
        self.session.save()

    def image(self) -> Image:
        """Made in slices while nothing else happens."""
        imager = Imager(self.market, self.session, self.pipeline.protocol)
        assert imager.begin(self.now)
        content, chunk = bytearray(4096), bytearray(CHUNK_BYTES)
        while imager.making:
            content += chunk[: imager.more(chunk)]
        head = imager.finish(BOOT, FINGERPRINT)
        content[: len(head)] = head
        self.made = Image(bytes(content), BOOT, FINGERPRINT)
        return self.made

    def rows(self) -> dict[str, dict[str, int]]:
        return {
            symbol: {name: value for name, value in row.items() if name not in OF_THE_MOMENT}
            for symbol, row in rows_of(PriceTable(self.mapping)).items()
        }

    def records(self) -> list[dict[str, int]]:
        """What the rings were told since the last call, also by a predecessor."""
        return [record for reader in self.readers for record in reader.take(1 << 20)]

    def depths(self) -> dict[str, Any]:
        return {each: [self.market.depth(each, side) for side in (0, 1)] for each in self.rows()}
