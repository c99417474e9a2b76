"""Lineage of prices in real captures, held against a reader of its own: struct and nothing else.

The reader finds a packet by its number in the file, and a message in it by its sequence number.
That message has to be the one that the lineage names, and has to say the trade that was published.
"""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from ticker.feeds.lineage.traced import TracedTrade, Tracer
from ticker.feeds.workers.pipeline import (
    CAPTURE_RULES,
    EPOCH,
    Pipeline,
    build,
    capture_day,
    file_blocks,
    follow_days,
    session_of_file,
)
from ticker.shm.segment import Geometry, private_feed

SAMPLES = 1000
RULES = msgspec.structs.replace(CAPTURE_RULES, test_symbols=False)
CAPTURES = {
    "itch/locate-13-10k.mold.pcap": "itch50",
    "iex/TOPS16.pcapng.gz": "tops",
    "iex/DEEP10.s01.pcap.gz": "deep",
    "iex/DEEP10.s09.pcap.gz": "deep",
    "pitch/mcastpitch_realtime_useq.pcap": "pitch",
}


def frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """(time in ns, Ethernet frame) of each packet of a pcap or pcapng file."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if data[:4] == b"\n\r\r\n":
        yield from blocks_of_pcapng(data)
        return
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1 if struct.unpack(order + "I", data[:4])[0] == 0xA1B23C4D else 1000
    at = 24
    while at + 16 <= len(data):
        seconds, part, length, _ = struct.unpack_from(order + "4I", data, at)
        yield seconds * 1_000_000_000 + part * unit, data[at + 16 : at + 16 + length]
        at += 16 + length


def blocks_of_pcapng(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Enhanced packet blocks; the interface says its unit of time (option 9), else it is 1 us."""
    at, unit = 0, 1000
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<2I", data, at)
        if kind == 1:
            option = at + 16
            while option + 4 <= at + length - 4:
                code, size = struct.unpack_from("<2H", data, option)
                if code == 9:
                    unit = 10 ** (9 - data[option + 4])
                if code == 0:
                    break
                option += 4 + (size + 3) // 4 * 4
        if kind == 6:
            high, low, size = struct.unpack_from("<3I", data, at + 12)
            yield (high << 32 | low) * unit, data[at + 28 : at + 28 + size]
        at += length


def payloads(path: Path) -> list[tuple[int, bytes]]:
    """(time, payload) of each UDP datagram over IPv4."""
    found = []
    for time, frame in frames(path):
        at = 12
        while frame[at : at + 2] == b"\x81\x00":
            at += 4
        if frame[at : at + 2] != b"\x08\x00" or frame[at + 11] != 17:
            continue
        udp = at + 2 + 4 * (frame[at + 2] & 15)
        length = struct.unpack_from(">H", frame, udp + 4)[0]
        found.append((time, frame[udp + 8 : udp + length]))
    return found


def by_length(data: bytes, at: int, number: int, order: str) -> list[bytes]:
    found = []
    for _ in range(number):
        (size,) = struct.unpack_from(order + "H", data, at)
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def messages_of(protocol: str, data: bytes) -> tuple[int, int, list[bytes]]:
    """(channel, first sequence, messages) of a packet."""
    if protocol == "itch50":
        first, number = struct.unpack_from(">QH", data, 10)
        return 0, first, by_length(data, 20, number, ">")
    if protocol in ("tops", "deep"):
        number, _, first = struct.unpack_from("<HQQ", data, 14)
        return 0, first, by_length(data, 40, number, "<")
    _, number, unit, first = struct.unpack_from("<HBBI", data, 0)
    at, found = 8, []
    for _ in range(number):
        found.append(data[at : at + data[at]])
        at += data[at]
    return unit, first, found


class Said(NamedTuple):
    """A trade as far as messages say it: the number alone in ITCH and PITCH, all in IEX's."""

    match: int
    price: int = 0
    size: int = 0


def says(protocol: str, message: bytes, trade: TracedTrade | Said) -> bool:
    """Whether the message can be that of the trade, by what it says itself."""
    if protocol in ("tops", "deep"):
        size, price, number = struct.unpack_from("<IqQ", message, 18)
        return message[:1] == b"T" and (price * 100_000, size, number) == (
            trade.price,
            trade.size,
            trade.match,
        )
    if protocol == "itch50":
        at = {b"E": 23, b"C": 23, b"P": 36, b"Q": 31}[message[:1]]
        return bool(struct.unpack_from(">Q", message, at)[0] == trade.match)
    # Order executed (at a price), long and short trade: the execution id is at their end.
    at = {0x23: 18, 0x24: 22, 0x2A: 33, 0x2B: 25}.get(message[1], len(message) - 9)
    return message[1] in (0x23, 0x24, 0x2A, 0x2B, 0x30) and (
        trade.match in struct.unpack_from("<Q", message, at)
    )


def traced(path: Path, protocol: str) -> tuple[Tracer, list[TracedTrade]]:
    session = session_of_file(protocol, path)
    blocks = file_blocks(session)

    def make(day: date, timezone: str) -> Pipeline:
        mapping = private_feed(Geometry(rows=4096, rings=1), 1, 1)
        return build(mapping, protocol, session, day, timezone=timezone, rules=RULES)

    day = capture_day(path, blocks, make(EPOCH, "UTC")) or EPOCH
    pipeline = make(day, "America/New_York")
    follow_days(pipeline, by_receive_time=True)
    tracer = Tracer(pipeline)
    tracer.run(blocks(path))
    return tracer, [trade for trades in tracer.trades.values() for trade in trades]


@pytest.mark.slow
@pytest.mark.parametrize("name", CAPTURES)
def test_each_price_names_its_packet(name: str, samples: Path) -> None:
    path, protocol = samples / name, CAPTURES[name]
    tracer, trades = traced(path, protocol)
    packets = payloads(path)
    priced = [
        tracer.table.symbol(row)
        for row in range(len(tracer.table))
        if (tracer.table.values(row) or {"price": 0})["price"]
    ]
    shown = [trade for symbol in set(priced) for trade in tracer.shown(symbol)]
    assert len(shown) == len(priced)
    chosen = random.Random(name).sample(trades, min(SAMPLES, len(trades)))
    assert chosen or not priced
    for trade in [*shown, *chosen]:
        origin = trade.origin
        time, data = packets[origin.packet - 1]
        channel, first, messages = messages_of(protocol, data)
        assert (time, channel) == (origin.receive_time, origin.channel)
        assert messages[origin.sequence - first] == origin.message
        assert says(protocol, origin.message, trade), trade
