"""Captures: the datagrams of the lines that are asked for, as a session is given them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.feeds.mold_feed import numbered, packet
from tests.feeds.packets.frames import ethernet, ip4, ip6, pcap, udp
from ticker.feeds.protocol import MessageLog
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.transports.pcap import Capture, blocks
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

LINE_A, LINE_B = "233.54.12.111:26477", "[ff0e::7]:26478"


def test_lines_by_destination(tmp_path: Path) -> None:
    frames = [
        ethernet(ip6(udp(b"b", 26478))),
        ethernet(ip4(udp(b"a"))),
        ethernet(ip4(udp(b"port", 1))),
        ethernet(ip4(udp(b"address"), to="233.54.12.112")),
    ]
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(*frames))
    found = Capture(path, lines=[LINE_A, LINE_B])
    assert [(payload, line) for payload, _, line in found] == [(b"b", 1), (b"a", 0)]
    assert found.not_read == {"sent to other addresses": 2}


Replay = Callable[[bytes], tuple[list[bytes], Capture, Counters]]


@pytest.fixture
def replayed(tmp_path: Path) -> Replay:
    def replay(data: bytes) -> tuple[list[bytes], Capture, Counters]:
        path = tmp_path / "day.pcap"
        path.write_bytes(data)
        mapping = private_feed(Geometry(16, 1, 16), 1, 0)
        log = MessageLog()
        capture = blocks(path)
        capture.replay(MoldUDP64(log, mapping))
        return log.messages, capture, Counters(mapping)

    return replay


def test_the_whole_messages_of_a_cut_packet_count(replayed: Replay) -> None:
    """A file may end at any byte of its last packet."""
    whole = pcap(*(ethernet(ip4(udp(numbered(first, 3)))) for first in (1, 4)))
    size = 14 + 20 + 8 + 20
    for cut in range(24 + 16 + size + 12 + 16, len(whole) + 1):
        messages, capture, counters = replayed(whole[:cut])
        rest = max(cut - (24 + 16 + size + 12 + 16) - size, 0)
        assert messages == [b"m%d" % number for number in range(1, 4 + rest // 4)]
        assert counters["bad_packets"] == counters["heartbeats"] == 0
        assert capture.truncated == (cut < len(whole))
        assert capture.packets == capture.datagrams + capture.others


@pytest.mark.parametrize("snaplen", [64, 70, 96])
def test_packets_cut_by_the_snaplen_give_their_whole_messages(
    replayed: Replay, snaplen: int
) -> None:
    frames = [ethernet(ip4(udp(packet(1 + 9 * i, *[b"x" * 4] * 9)))) for i in range(4)]
    messages, capture, counters = replayed(pcap(*frames, snaplen=snaplen))
    each = (snaplen - 14 - 20 - 8 - 20) // 6
    assert len(messages) == 4 * each
    assert counters["bad_packets"] == 0
    if each:
        assert (capture.datagrams, capture.cut, capture.not_read) == (4, 4, {})
        assert counters["lost_messages"] == 3 * (9 - each)
    else:
        assert (capture.datagrams, capture.cut) == (0, 0)
        assert capture.not_read == {"cut short by the capture": 4}


def test_every_sample_opens(samples: Path) -> None:
    paths = [path for path in samples.rglob("*.pcap*") if path.suffix in (".pcap", ".gz")]
    assert len(paths) > 80
    for path in paths:
        found = Capture(path, with_tcp=True)
        assert len(list(found)) > 0
        assert not found.truncated


def test_the_real_capture_by_moldudp64(samples: Path) -> None:
    path = samples / "itch" / "locate-13-10k.mold.pcap"
    raw = (samples / "itch" / "locate-13-10k.bin").read_bytes()
    messages, at = [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 2], "big")
        messages.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    mapping = private_feed(Geometry(16, 1, 16), 1, 0)
    log = MessageLog()
    session = MoldUDP64(log, mapping)
    assert blocks(path).replay(session) == 2192
    counts = Counters(mapping)
    assert log.messages == messages
    assert session.ended
    assert counts["messages"] == 10_000
    assert (counts["packets"], counts["heartbeats"], counts["gaps"]) == (2192, 438, 0)
