"""Packets in layers: link layers, tunnels, fragments, cut or whole, in capture files."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.feeds.packets.frames import (
    erspan,
    ethernet,
    fragments4,
    fragments6,
    geneve,
    gre,
    ip4,
    ip6,
    mpls,
    options6,
    pcap,
    pcapng,
    ppp,
    pptp,
    simple_blocks,
    udp,
    vxlan,
)
from tests.fuzz.target import Target
from tests.fuzz.targets.files import Captured
from ticker.errors import FeedError

TAGS = (0x9200, 0x88A8)
PACKINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda inner: ip4(gre(inner), 47),
    lambda inner: ip6(vxlan(ethernet(inner, 0x8100))),
    lambda inner: ip4(erspan(ethernet(inner), 3), 47),
    lambda inner: ip4(erspan(ethernet(inner)), 47),
    lambda inner: ip6(options6(47, gre(inner, flags=0x3000)), 60),
    lambda inner: ip4(mpls(inner, 2), 137),
    lambda inner: ip4(pptp(inner), 47),
    lambda inner: ip6(geneve(ethernet(inner))),
)


def layered(chance: random.Random) -> bytes:
    """A capture of packets in random layers, and of the pieces of some."""
    found: list[bytes] = []
    for number in range(chance.randrange(1, 6)):
        body = chance.choice((ip4, ip6))(udp(chance.randbytes(chance.randrange(200))))
        for _ in range(chance.choice((0, 1, 1, 2, 3, 30))):
            body = chance.choice(PACKINGS)(body)
        if chance.random() < 0.5:
            found += fragments4(body, 8 * chance.randrange(1, 60), number % 3, 4)
        else:
            found.append(body)
    if chance.random() < 0.5:
        chance.shuffle(found)
    frames = [ethernet(each, *TAGS[: chance.randrange(3)]) for each in found]
    cut = chance.choice((1 << 16, 1 << 16, 64, 100))
    return chance.choice((pcap, pcapng, simple_blocks))(*frames, snaplen=cut)


def tunnels() -> list[bytes]:
    """A capture of each way to pack a packet, and of two that came in pieces."""
    inner = ip4(udp(b"inside"))
    found = [pcap(ethernet(pack(inner), 0x8100)) for pack in PACKINGS]
    pieces = [*fragments4(udp(bytes(300)), 104), *fragments6(udp(bytes(300)), 104)]
    found.append(pcap(*map(ethernet, pieces)))
    found.append(pcap(ppp(mpls(inner)), link=9))
    return [*found, simple_blocks(ethernet(inner)), pcap(ethernet(inner), snaplen=50)]


TARGETS = [
    Target(
        name="pcap-layers",
        covers=("ticker.feeds.packets.link", "ticker.feeds.packets.fragments"),
        start=Captured,
        seeds=tunnels,
        errors=(FeedError,),
        per_subject=1000,
        longest=1 << 14,
        vary=layered,
    ),
]
