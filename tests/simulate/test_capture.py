"""Captures of a simulated day: BinaryFILE and MoldUDP64 in pcap."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ticker.simulate.lines.capture import PcapWriter, write_pcap, write_stream
from ticker.simulate.speakers.itch import ItchMarket

LINES = [("239.192.0.1", 26477), ("239.192.0.2", 26478)]
MIDNIGHT = 1_767_589_200_000_000_000  # 2026-01-05 in New York


class Packet(NamedTuple):
    time: int
    destination: tuple[str, int]
    sequence: int
    messages: list[bytes]


def packets(path: Path) -> Iterator[Packet]:
    data = path.read_bytes()
    assert struct.unpack_from("<IHHiIII", data) == (0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    at = 24
    while at < len(data):
        second, nanosecond, captured, length = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + captured]
        at += 16 + captured
        assert captured == length == len(frame)
        yield decode(second * 1_000_000_000 + nanosecond, frame)


def decode(time: int, frame: bytes) -> Packet:
    assert frame[12:14] == b"\x08\x00"
    ip = frame[14:34]
    words = struct.unpack(">10H", ip)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    assert words[1] == len(frame) - 14
    assert ip[9] == 17
    port, udp_length, _ = struct.unpack(">HHH", frame[36:42])
    assert udp_length == len(frame) - 34
    payload = frame[42:]
    assert payload[:10] == b"SESSION001"
    assert len(payload) <= 20 + 1400
    sequence, count = struct.unpack_from(">QH", payload, 10)
    messages, at = [], 20
    while at < len(payload):
        size = payload[at] << 8 | payload[at + 1]
        messages.append(payload[at + 2 : at + 2 + size])
        at += 2 + size
    assert at == len(payload)
    assert count == len(messages)
    return Packet(time, (".".join(map(str, ip[16:20])), port), sequence, messages)


def written(path: Path, loss: float, lines: int = 2) -> list[Packet]:
    writer = PcapWriter(LINES[:lines], "SESSION001", MIDNIGHT, loss, 5)
    assert write_pcap(ItchMarket(20, 5, messages=6_000), path, writer) == 6_000
    found = list(packets(path))
    assert writer.packets == len(found)
    return found


def binary_messages(path: Path) -> list[bytes]:
    assert write_stream(ItchMarket(20, 5, messages=6_000), path) == 6_000
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        size = data[at] << 8 | data[at + 1]
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def test_both_formats_hold_the_same_messages(tmp_path: Path) -> None:
    messages = binary_messages(tmp_path / "day.itch")
    found = written(tmp_path / "day.pcap", 0.0)
    assert len(messages) == 6_000
    for destination in LINES:
        line = [packet for packet in found if packet.destination == destination]
        assert [message for packet in line for message in packet.messages] == messages
        expected = 1
        for packet in line:
            assert packet.sequence == expected
            assert packet.time == MIDNIGHT + int.from_bytes(packet.messages[0][5:11], "big")
            expected += len(packet.messages)


def test_each_line_loses_packets_by_itself(tmp_path: Path) -> None:
    messages = binary_messages(tmp_path / "day.itch")
    found = written(tmp_path / "day.pcap", 0.2)
    seen: list[dict[int, bytes]] = [{}, {}]
    for packet in found:
        for offset, message in enumerate(packet.messages):
            seen[LINES.index(packet.destination)][packet.sequence + offset] = message
    for line in seen:
        assert 0.6 * len(messages) < len(line) < 0.95 * len(messages)
        assert all(messages[sequence - 1] == message for sequence, message in line.items())
    assert seen[0].keys() != seen[1].keys()


def test_one_seed_is_one_file(tmp_path: Path) -> None:
    written(tmp_path / "one.pcap", 0.1)
    written(tmp_path / "two.pcap", 0.1)
    assert (tmp_path / "one.pcap").read_bytes() == (tmp_path / "two.pcap").read_bytes()


def test_no_line_and_three_lines_are_refused() -> None:
    for lines in ([], LINES + LINES[:1]):
        with pytest.raises(ValueError, match="give 1 or 2"):
            PcapWriter(lines, "SESSION001", MIDNIGHT, 0.0, 1)
