"""A day of ITCH as its messages, and pipelines that take them one after the other."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.feeds.tables import rows_of
from ticker.feeds.images.image import Image
from ticker.feeds.images.imager import CHUNK_BYTES, Imager
from ticker.feeds.session import SessionOptions
from ticker.feeds.workers.pipeline import build
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.itch import ItchMarket

DAY = date(2026, 3, 27)
GEOMETRY = Geometry(rows=256, rings=2, ring_capacity=4096)
SESSION = b"SESSION001"
BOOT, FINGERPRINT = 7, 99


def messages_of_a_day(symbols: int, count: int, seed: int) -> list[bytes]:
    buffer = bytearray(64 * count + 65_536)
    _, used = ItchMarket(symbols, seed, messages=count).generate(count, buffer)
    found, at = [], 0
    while at < used:
        length = 2 + int.from_bytes(buffer[at : at + 2], "big")
        found.append(bytes(buffer[at : at + length]))
        at += length
    return found


class Side:
    """One pipeline with its segment, and the place that it has reached."""

    def __init__(self, mapping: Mapping | None = None, image: Image | None = None) -> None:
        self.mapping = mapping or private_feed(GEOMETRY, BOOT, 1)
        resume = None if image is None else (image.session, image.sequence)
        self.pipeline = build(
            self.mapping,
            "itch50",
            "moldudp64",
            DAY,
            venue="XNAS",
            session_options=SessionOptions(join="start", resume=resume, request_timeout_ns=1),
        )
        self.market = self.pipeline.market
        self.market.adopt_rows(rebuild=True)
        if image is not None:
            self.market.set_publishing(False)
            image.restore(self.market)
            self.pipeline.protocol.restore_image(image.protocol_state)
        self.now = 1

    def take(self, messages: list[bytes], first: int, session: bytes = SESSION) -> None:
        """The messages from number `first` on, 20 in a packet."""
        for at in range(0, len(messages), 20):
            part = messages[at : at + 20]
            header = session + (first + at).to_bytes(8, "big") + len(part).to_bytes(2, "big")
            self.now += 1
            self.pipeline.session.receive_data(header + b"".join(part), 0, self.now)
            self.market.publish(self.now)
            self.pipeline.session.save()

    def caught_up(self) -> None:
        self.market.set_publishing(True)
        self.market.publish(self.now + 1)

    def rows(self) -> dict[str, dict[str, int]]:
        return {
            symbol: {name: value for name, value in row.items() if name not in OF_THE_MOMENT}
            for symbol, row in rows_of(PriceTable(self.mapping)).items()
        }

    def depths(self) -> dict[str, Any]:
        table = PriceTable(self.mapping)
        symbols = [table.symbol(row) for row in range(len(table))]
        return {each: [self.market.depth(each, side) for side in (0, 1)] for each in symbols}


OF_THE_MOMENT = {"receive_time", "publish_time", "quotes", "quote_time"}


class Made:
    """An image in the making of a side, as the file would have it."""

    def __init__(self, side: Side) -> None:
        self.imager = Imager(side.market, side.pipeline.session, side.pipeline.protocol)
        self.content = bytearray(4096)
        self.chunk = bytearray(CHUNK_BYTES)
        self.whole = False

    def begin(self) -> bool:
        self.content = bytearray(4096)
        return self.imager.begin(1)

    def slice(self) -> int:
        used = self.imager.more(self.chunk)
        if used >= 0:
            self.content += self.chunk[:used]
            if not self.imager.making:
                head = self.imager.finish(BOOT, FINGERPRINT)
                self.content[: len(head)] = head
                self.whole = True
        return used

    def read(self) -> Image:
        return Image(bytes(self.content), BOOT, FINGERPRINT)
