"""Raw packets in pcapng: read back byte by byte, at their nanosecond, by line; cut anywhere."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ticker.feeds.transports.pcap import blocks
from ticker.record import pcapng
from ticker.record.packets import PacketTape

GROUPS = [("239.192.77.1", 26811), ("239.192.77.2", 26811)]
SOURCE = ("192.0.2.9", 4000)
TIME = 1_767_625_195_123_456_789


def written(path: Path, count: int = 3) -> list[tuple[bytes, int, int]]:
    packets = [(bytes([n]) * (n * 7 + 1), TIME + n, n % 2) for n in range(count)]
    content = pcapng.head(["line A", "line B"])
    for payload, time, line in packets:
        content += pcapng.packet(line, time, SOURCE, GROUPS[line], payload)
    path.write_bytes(content + pcapng.statistics(0, TIME, count, 0))
    return packets


def channels() -> list[list[str]]:
    return [[f"{host}:{port}" for host, port in GROUPS]]


def test_packets_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "f.pcapng"
    packets = written(path)
    capture = blocks(path, channels())
    assert [(bytes(content), time, line) for content, time, line in capture] == packets
    assert capture.summary()["not_read"] == {}


def test_a_file_that_was_cut_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "f.pcapng"
    packets = written(path)
    content = path.read_bytes()
    for end in range(len(pcapng.head(["line A", "line B"])), len(content)):
        path.write_bytes(content[:end])
        found = [bytes(payload) for payload, _, _ in blocks(path, channels())]
        told = [payload for payload, _, _ in packets][: len(found)]
        assert found[:-1] == told[:-1]
        assert all(whole.startswith(part) for part, whole in zip(found, told, strict=True))


def test_the_lines_are_heard_beside_a_feed(tmp_path: Path) -> None:
    tape = PacketTape("f", GROUPS, "127.0.0.1", ["127.0.0.1"], tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for number in range(100):
            sender.sendto(b"%d" % number, GROUPS[number % 2])
    while sum(tape.received) < 100:
        tape.gather()
    tape.close()
    assert (tape.events, tape.lapped, tape.dropped) == (100, 0, 0)
    found = [packet for path in tmp_path.iterdir() for packet in blocks(path, channels())]
    times = [time for _, time, _ in found]
    assert sorted(bytes(content) for content, _, _ in found) == sorted(
        b"%d" % number for number in range(100)
    )
    assert {int(bytes(content)) % 2 == line for content, _, line in found} == {True}
    assert len(set(times)) > 10


@pytest.mark.parametrize("room", [0, 5000])
def test_what_the_disk_does_not_take_is_counted(
    tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticker.record.packets.MOST_WAITING", room)
    tape = PacketTape("f", GROUPS[:1], "127.0.0.1", [], tmp_path)
    block = pcapng.packet(0, TIME, SOURCE, GROUPS[0], bytes(952))
    for _ in range(10):
        tape._kept.append((TIME, 0, block))
        tape.take()
    assert tape.dropped == 10 - room // len(block)
    tape.close()
    assert tape.events == room // len(block)
