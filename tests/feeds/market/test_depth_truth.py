"""The published depth equals an independent book at every step, in ITCH, PITCH and DEEP."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.feeds.market.plain_books import Deep, Itch, Pitch
from ticker.cli import main
from ticker.feeds.transports.pcap import blocks
from ticker.feeds.workers.pipeline import build
from ticker.shm.counters import Counters
from ticker.shm.depth.interest import InterestWriter
from ticker.shm.depth.rows import DepthReader
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.segment import Geometry, private_feed, private_gateway
from ticker.shm.table import PriceTable

Reader = Itch | Pitch | Deep
Steps = Iterable[tuple[bytes, int, int]]
DAY = date(2026, 1, 5)


def datagrams(reader: Reader, data: bytes) -> set[str]:
    return set(reader.datagram(data))


def framed(reader: Reader, data: bytes) -> set[str]:
    return set(reader.message(data[2:]))


def compare(reader: Reader, steps: Steps, symbols: set[str], most: int, framing: str = "") -> int:
    """Run a day through the pipeline and through the reader; how many books were compared."""
    gateway, bell = private_gateway(1), os.eventfd(0, os.EFD_NONBLOCK)
    InterestWriter(gateway, dict.fromkeys(symbols, most))
    mapping = private_feed(Geometry(8192, 1, 256, depth_rows=4096), 1, 1)
    ringer = DoorbellRinger([(gateway, bell)])
    pipeline = build(mapping, reader.name, framing or None, DAY, raw=True, ringer=ringer)
    depth, table, counted = DepthReader(mapping), PriceTable(mapping), Counters(mapping)
    rows: dict[str, int] = {}
    compared = 0
    seqs: dict[str, object] = {}
    for data, now, line in steps:
        pipeline.session.receive_data(data, line, now)
        pipeline.market.publish(now)
        touched = (framed if framing else datagrams)(reader, data)
        if counted["messages"] != reader.messages:
            continue  # the session waits for what is missing
        rows |= {table.symbol(row): row for row in range(len(rows), len(table))}
        for symbol in touched:
            book = depth.book(rows[symbol])
            assert book is not None
            assert (book["bids"], book["asks"]) == reader.book.sides(symbol, most), symbol
            seqs[symbol] = book["seq"]
            compared += 1
    pipeline.session.end_of_data(now)
    pipeline.market.publish(now)
    for symbol in filter(reader.settled, seqs):
        book = depth.book(rows[symbol])
        assert book is not None
        assert (book["bids"], book["asks"]) == reader.book.sides(symbol, most), symbol
    os.close(bell)
    return compared


def named(reader: Reader, steps: Steps, framing: str = "") -> set[str]:
    """The symbols of a day that have orders or levels."""
    take = framed if framing else datagrams
    return set().union(*(take(reader, data) for data, _, _ in steps))


def simulated(path: Path, protocol: str, messages: str) -> list[tuple[bytes, int, int]]:
    command = [
        "simulate",
        protocol,
        "--output",
        str(path),
        "--symbols",
        "6",
        "--messages",
        messages,
    ]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return list(blocks(path))


def split(path: Path) -> Iterator[tuple[bytes, int, int]]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        yield data[at:end], at + 1, 0
        at = end


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 5, 50])
@pytest.mark.parametrize(("kind", "protocol"), [(Itch, "itch"), (Pitch, "pitch"), (Deep, "deep")])
def test_a_generated_day(tmp_path: Path, kind: type[Reader], protocol: str, most: int) -> None:
    steps = simulated(tmp_path / "day.pcap", protocol, "4k")
    assert compare(kind(), steps, named(kind(), steps), most) > 500


@pytest.mark.slow
@pytest.mark.parametrize("most", [10, 50])
def test_itch_message_by_message(samples: Path, most: int) -> None:
    steps = list(split(samples / "itch" / "locate-13-10k.bin"))[:4000]
    assert compare(Itch(), steps, {"AAPL"}, most, "binaryfile") > 3000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("DEEP10.s01.pcap.gz", 100), ("DEEP10.s09.pcap.gz", 2)]
)
def test_captures_of_deep(samples: Path, name: str, least: int) -> None:
    steps = list(blocks(samples / "iex" / name))
    assert compare(Deep(), steps, named(Deep(), steps), 10) >= least


@pytest.mark.slow
def test_a_capture_of_pitch(samples: Path) -> None:
    steps = list(blocks(samples / "pitch" / "mcastpitch_realtime_useq.pcap"))
    assert compare(Pitch(), steps, named(Pitch(), steps), 10) >= 17
