"""Capture files: every format and byte order gives the same packets; their end and damage are
said."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.feeds.packets.frames import (
    NS,
    TIME,
    US,
    block,
    ethernet,
    fragments4,
    gre,
    ip4,
    ip6,
    pcap,
    pcapng,
    simple_blocks,
    udp,
    vxlan,
)
from ticker.errors import FeedError
from ticker.feeds.transports.pcap import Capture

FRAME = ethernet(ip4(udp(b"hello")))
Write = Callable[..., Capture]


@pytest.fixture
def capture(tmp_path: Path) -> Write:
    def write(data: bytes, **options: Any) -> Capture:
        path = tmp_path / "some.pcap"
        path.write_bytes(data)
        return Capture(path, **options)

    return write


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "time"), [(US, TIME // 1000 * 1000), (NS, TIME)])
def test_pcap_in_both_byte_orders(capture: Write, order: str, magic: int, time: int) -> None:
    found = capture(pcap(FRAME, FRAME, magic=magic, order=order))
    assert list(found) == [(b"hello", time, 0)] * 2
    assert (found.packets, found.datagrams, found.others, found.truncated) == (2, 2, 0, False)
    assert found.destination == ("233.54.12.111", 26477)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("resolution", "offset", "grain"),
    [(9, 0, 1), (6, 0, 1000), (3, 3600, 10**6), (0x80 | 20, -60, 1000), (10, 0, 1)],
)
def test_pcapng(capture: Write, order: str, resolution: int, offset: int, grain: int) -> None:
    found = capture(pcapng(FRAME, order=order, resolution=resolution, offset=offset))
    [(payload, time, line)] = found
    assert (payload, line) == (b"hello", 0)
    assert abs(time - TIME) <= grain
    assert not found.truncated


def test_pcapng_with_simple_and_unknown_blocks_and_two_sections(capture: Write) -> None:
    one = pcapng(FRAME)
    simple = block(3, struct.pack("<I", len(FRAME)) + FRAME)
    found = capture(one + simple + pcapng(FRAME, order=">"))
    assert [payload for payload, _, _ in found] == [b"hello"] * 3
    assert found.without_time == 1


def test_a_packet_without_a_time_has_that_of_the_one_before_it(capture: Write) -> None:
    simple = block(3, struct.pack("<I", len(FRAME)) + FRAME)
    assert [time for _, time, _ in capture(pcapng(FRAME) + simple)] == [TIME, TIME]
    found = capture(simple_blocks(FRAME, FRAME))
    assert [time for _, time, _ in found] == [0, 0]
    assert found.without_time == 2
    for make in (pcap, pcapng):
        found = capture(make(FRAME, time=0))
        assert [time for _, time, _ in found] == [0]
        assert found.without_time == 1


def test_a_packet_of_no_interface(capture: Write) -> None:
    head = struct.pack("<IIIII", 9, 1, 1, len(FRAME), len(FRAME))
    found = capture(pcapng(FRAME) + block(6, head + FRAME))
    assert [payload for payload, _, _ in found] == [b"hello"]
    assert found.not_read == {"of an interface that is not described": 1}


@pytest.mark.slow
@pytest.mark.parametrize("make", [pcap, pcapng, simple_blocks])
def test_a_capture_cut_at_any_byte(capture: Write, make: Callable[..., bytes]) -> None:
    """The bytes of the last packet are handed out, and it is marked as cut."""
    head, whole = len(make()), make(FRAME, FRAME)
    size = (len(whole) - head) // 2
    for cut in range(max(head, 24), len(whole)):
        found = capture(whole[:cut])
        got = [payload for payload, _, _ in found]
        before, rest = divmod(cut - head, size)
        assert got[:before] == [b"hello"] * before
        assert all(b"hello".startswith(payload) for payload in got[before:])
        assert len(got) <= before + (rest > 0)
        assert found.truncated == (rest > 0)
        assert found.packets == found.datagrams + sum(found.not_read.values())
        if make is pcap and rest > 16:
            there = rest - 16 - (len(FRAME) - 5)
            assert got[before:] == ([b"hello"[:there]] if there >= 0 else [])
            assert found.packets == before + 1


@pytest.mark.parametrize("make", [pcap, pcapng, simple_blocks])
def test_a_packet_that_was_cut_says_so(capture: Write, make: Callable[..., bytes]) -> None:
    found = capture(make(FRAME, FRAME, snaplen=len(FRAME) - 2))
    assert [payload for payload, _, _ in found] == [b"hel"] * 2
    assert (found.datagrams, found.cut, found.truncated) == (2, 2, False)


@pytest.mark.slow
def test_gzip_is_read_in_windows(tmp_path: Path) -> None:
    path = tmp_path / "some.pcap.gz"
    frames = [ethernet(ip4(udp(struct.pack(">I", i) * 300))) for i in range(8000)]
    data = pcap(*frames)
    assert len(data) > 2 * (4 << 20)
    path.write_bytes(gzip.compress(data, 1))
    found = Capture(path)
    assert [payload[:4] for payload, _, _ in found] == [struct.pack(">I", i) for i in range(8000)]
    assert not found.truncated
    path.write_bytes(path.read_bytes()[:-20_000])
    cut = Capture(path)
    assert 0 < len(list(cut)) < 8000
    assert cut.truncated
    assert "end-of-stream" in cut.error


def test_a_packet_larger_than_the_window(tmp_path: Path) -> None:
    path = tmp_path / "large.pcap.gz"
    path.write_bytes(gzip.compress(pcap(bytes(6 << 20), FRAME), 1))
    assert [payload for payload, _, _ in Capture(path)] == [b"hello"]


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f\x8b", b"no capture, but long enough for one"])
def test_what_is_no_capture_is_refused(capture: Write, data: bytes) -> None:
    with pytest.raises(FeedError, match=r"some\.pcap"):
        capture(data)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="No such file"):
        Capture(tmp_path / "nothing.pcap")


DAMAGED = (
    FRAME,
    ethernet(ip6(udp(b"six"))),
    ethernet(ip4(udp(b"x")), 0x8100),
    ethernet(ip4(gre(ip6(udp(b"y"))), 47)),
    ethernet(ip4(vxlan(FRAME))),
    *map(ethernet, fragments4(udp(bytes(100)), 48)),
)


WRITERS: tuple[Callable[..., bytes], ...] = (pcap, pcapng)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_gives_packets_or_an_end(capture: Write, data: st.DataObject) -> None:
    """And each packet is accounted for, once."""
    whole = bytearray(data.draw(st.sampled_from(WRITERS))(*DAMAGED))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = capture(bytes(whole), with_tcp=True)
    except FeedError:
        return
    assert all(len(payload) < len(whole) for payload, _, _ in found)
    not_read = sum(found.not_read.values())
    assert found.packets == found.datagrams + found.fragments_joined + not_read
