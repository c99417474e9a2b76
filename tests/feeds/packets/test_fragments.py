"""Fragments: a datagram comes whole or is counted, in any order and with any repeats; memory and
time are bounded with any input."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.feeds.packets.frames import (
    ethernet,
    fragment6,
    fragments4,
    fragments6,
    gre,
    ip4,
    ip6,
    options6,
    pcap,
    tcp,
    udp,
    vxlan,
)
from ticker.feeds.transports.pcap import Capture

LONG = bytes(range(256)) * 12
OTHER = LONG[::-1]
Read = Callable[..., Capture]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of(*packets: bytes, **options: Any) -> Capture:
        path = tmp_path / "some.pcap"
        path.write_bytes(pcap(*map(ethernet, packets)))
        return Capture(path, **options)

    return of


def payloads(capture: Capture) -> list[bytes]:
    return [payload for payload, _, _ in capture]


def accounted(capture: Capture) -> int:
    return capture.datagrams + capture.fragments_joined + sum(capture.not_read.values())


@pytest.mark.parametrize("make", [fragments4, fragments6])
@pytest.mark.parametrize("size", [8, 512, 1480, 3000])
def test_in_order_and_the_other_way_round(
    read: Read, make: Callable[..., list[bytes]], size: int
) -> None:
    pieces = make(udp(LONG), size)
    for order in (pieces, pieces[::-1], pieces[1::2] + pieces[::2]):
        found = read(*order)
        assert payloads(found) == [LONG]
        assert (found.fragments_joined, found.not_read) == (len(pieces) - 1, {})
        assert found.packets == accounted(found)


def test_pieces_of_many_datagrams_at_once(read: Read) -> None:
    texts = [bytes([number]) * (2000 + number) for number in range(50)]
    pieces = [
        piece
        for number, text in enumerate(texts)
        for piece in (fragments4 if number % 2 else fragments6)(udp(text), 512, number)
    ]
    random.Random(5).shuffle(pieces)
    found = read(*pieces)
    assert sorted(payloads(found)) == sorted(texts)
    assert found.not_read == {}


def test_what_is_the_same_in_all_but_one_part_of_its_name_is_another(read: Read) -> None:
    one, two = fragments4(udp(LONG), 1480, 7), fragments4(udp(OTHER), 1480, 8)
    three = fragments4(udp(OTHER), 1480, 7, to="233.54.12.112")
    four = fragments6(udp(OTHER), 1480, 7)
    mixed = [piece for each in zip(one, two, three, four, strict=True) for piece in each]
    assert sorted(payloads(read(*mixed))) == sorted([LONG, OTHER, OTHER, OTHER])


def test_repeats_are_one_piece(read: Read) -> None:
    one, two, three = fragments4(udp(LONG), 1480)
    found = read(one, one, three, two, two, three)
    assert payloads(found) == [LONG]
    assert (found.fragments_joined, found.not_read) == (5, {})
    assert found.packets == accounted(found)


def test_overlaps_that_agree_are_taken(read: Read) -> None:
    body = udp(LONG)
    pieces = [
        ip4(body[at : at + 1480], fragment=at // 8 | 0x2000 * (at + 1480 < len(body)))
        for at in (0, 800, 1600, 2400)
    ]
    found = read(*pieces)
    assert payloads(found) == [LONG]


@pytest.mark.parametrize("make", [fragments4, fragments6])
def test_pieces_that_contradict_each_other_are_not_believed(
    read: Read, make: Callable[..., list[bytes]]
) -> None:
    true, false = make(udp(LONG), 1480), make(udp(OTHER), 1480)
    found = read(true[0], false[0], true[1], true[2])
    assert payloads(found) == []
    assert found.not_read == {
        "fragments that contradict each other": 2,
        "fragments whose rest is missing": 2,
    }
    assert found.packets == accounted(found)


def test_ends_that_contradict_each_other(read: Read) -> None:
    body = udp(LONG)
    last = ip4(body[1480:], fragment=1480 // 8)
    found = read(last, ip4(body[2960:3000], fragment=2960 // 8), ip4(body[:1480], fragment=0x2000))
    assert payloads(found) == []
    assert found.not_read["fragments that contradict each other"] == 2
    found = read(last, ip4(body[:8] * 4, fragment=4096 // 8 | 0x2000))
    assert found.others == 2 if not payloads(found) else False


def test_an_id_that_comes_again_is_another_datagram(read: Read) -> None:
    found = read(*fragments4(udp(LONG), 1480), *fragments4(udp(OTHER), 1480))
    assert payloads(found) == [LONG, OTHER]
    assert found.not_read == {}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_what_is_missing_is_said(read: Read, missing: int) -> None:
    pieces = fragments4(udp(LONG), 1480)
    del pieces[missing]
    found = read(*pieces)
    assert payloads(found) == []
    assert found.not_read == {"fragments whose rest is missing": 2}


def test_a_fragment_that_was_cut_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(*map(ethernet, fragments4(udp(LONG), 1480)), snaplen=1000))
    found = Capture(path)
    assert payloads(found) == []
    assert found.not_read == {
        "cut short by the capture": 2,
        "fragments whose rest is missing": 1,
    }


def test_fragments_of_what_is_not_read_are_not_kept(read: Read) -> None:
    pieces = fragments4(tcp(LONG), 1480, protocol=6) + fragments6(b"ping" * 999, 1480, kind=58)
    found = read(*pieces)
    assert payloads(found) == []
    assert found.not_read == {"IP protocol 6 (TCP)": 3, "IP protocol 58 (ICMPv6)": 3}
    found = read(*fragments4(tcp(LONG), 1480, protocol=6), with_tcp=True)
    assert payloads(found) == [LONG]


@pytest.mark.parametrize(
    "packet",
    [
        ip4(LONG[:12], fragment=0x2000),
        ip4(b"", fragment=0x2000),
        ip4(LONG[:1480], fragment=0x1FFF),
        ip6(fragment6(17, LONG[:9], 0, True, 1), 44),
        ip6(fragment6(17, LONG[:1480], 65_528, False, 1), 44),
    ],
)
def test_pieces_that_cannot_be(read: Read, packet: bytes) -> None:
    found = read(packet)
    assert payloads(found) == []
    assert found.not_read == {"malformed": 1}


NESTED = {
    "fragments in gre": [ip4(gre(piece), 47) for piece in fragments6(udp(LONG), 1400)],
    "gre in fragments": fragments4(gre(ip6(udp(LONG))), 1400, protocol=47),
    "fragments in fragments": [
        piece
        for number, inner in enumerate(fragments4(udp(LONG), 1480, 9))
        for piece in fragments6(gre(inner), 600, number, kind=47)
    ],
    "vxlan in fragments": fragments6(vxlan(ethernet(ip4(udp(LONG)), 0x8100)), 1400),
    "behind options": [
        ip6(options6(44, fragment6(17, udp(LONG)[at : at + 1480], at, at < 2960, 3)), 0)
        for at in (0, 1480, 2960)
    ],
    "options in fragments": fragments6(options6(17, udp(LONG), 2), 1400, kind=60),
}


@pytest.mark.parametrize("packets", NESTED.values(), ids=NESTED)
def test_tunnels_and_fragments(read: Read, packets: list[bytes]) -> None:
    found = read(*packets)
    assert payloads(found) == [LONG]
    assert found.not_read == {}
    assert found.packets == accounted(found)


def test_a_datagram_inside_of_itself(read: Read) -> None:
    """The pieces of a datagram hold a packet that is a piece of it."""
    inner = ip4(bytes(64), 4, number=1, fragment=0x2000)
    pieces = fragments4(inner + bytes(40), 64, 1, protocol=4)
    found = read(*pieces)
    assert payloads(found) == []
    assert found.packets == accounted(found)


FRAGMENTS: tuple[Callable[..., list[bytes]], ...] = (fragments4, fragments6)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_any_order_with_any_repeats_and_losses(read: Read, chance: random.Random) -> None:
    """Every datagram of which all pieces came, comes, with its own bytes; nothing else does."""
    packets: list[tuple[float, bytes]] = []
    whole = []
    for number in range(chance.randrange(1, 12)):
        text = bytes([number]) + chance.randbytes(chance.randrange(5000))
        pieces = chance.choice(FRAGMENTS)(udp(text), 8 * chance.randrange(1, 300), number)
        kept = [piece for piece in pieces if chance.random() < 0.97]
        if len(kept) == len(pieces):
            whole.append(text)
        start = chance.random()
        for piece in kept:
            for _ in range(chance.choice([1, 1, 1, 2])):
                packets.append((start + chance.random() / 4, piece))
    packets.sort()
    found = read(*(packet for _, packet in packets))
    got = payloads(found)
    assert set(got) == set(whole)
    assert all(got.count(text) <= 2 for text in got)
    assert found.packets == accounted(found)


@pytest.mark.slow
def test_memory_and_time_are_bounded(tmp_path: Path) -> None:
    """Pieces from near the end of as many datagrams: each wants 64 kB, and none becomes whole."""
    path = tmp_path / "many.pcap"
    pieces = [
        ethernet(ip4(bytes(8), fragment=0x2000 | 65_000 // 8, number=number % 65_536))
        for number in range(60_000)
    ]
    path.write_bytes(pcap(*pieces))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    found = Capture(path)
    assert payloads(found) == []
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12_000, "kB"
    assert found.not_read == {"fragments whose rest is missing": 60_000}
