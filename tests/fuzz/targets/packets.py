"""The sessions that come in datagrams, each with its protocol behind it.

An input is a script: the low two bits of an operation are the line (0, 1, 2: retransmission; 3:
not a packet, but one of what else a session is asked), the rest how much time has passed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

from tests.fuzz.subject import MS, Subject, captures, pieces, sample_messages, script
from tests.fuzz.target import Target
from ticker.feeds.session import Session, SessionOptions
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.sessions.iextp import IexTp
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.sessions.xdp import Xdp
from ticker.feeds.transports.pcap import Capture
from ticker.feeds.workers.pipeline import load_protocol

WAITS = (0, 0, 0, 1, 30, 200, 4_000, -1_000)
"""ms that pass before a piece."""
OTHER = 3
CUT = 0x20
"""The packet was cut by a capture."""
Packets = Callable[[str], Iterable[list[bytes]]]


class Receiver(Subject):
    """A session with lines and a re-request server: a new one for each input, one market."""

    def __init__(self, protocol: str, session: type[Session], **options: Any) -> None:
        super().__init__(load_protocol(protocol))
        joined = SessionOptions(rerequest=True, buffer_bytes=1 << 18, **options)
        self.begin = partial(session, self.protocol, self.mapping, joined)

    def __call__(self, data: bytes) -> None:
        self.session = self.begin()
        for operation, piece in pieces(data):
            self.now = max(self.now + WAITS[operation >> 2 & 7] * MS, 1)
            line = operation & 3
            if line == OTHER:
                self.other(piece)
                continue
            if operation & CUT:
                piece = self.whole_messages(piece)
            before = self.counters["packets"]
            self.session.receive_data(piece, line, self.now)
            assert self.counters["packets"] == before + 1
        self.ask()
        self.session.save()
        self.session.end_of_data(self.now)
        assert not self.session.recovering
        self.check()

    def whole_messages(self, packet: bytes) -> bytes:
        """What is whole of a packet that a capture cut."""
        mended = self.session.mend_packet(packet)
        assert len(mended) <= len(packet)
        assert self.session.mend_packet(mended) == mended
        return mended

    def other(self, _: bytes) -> None:
        """What comes beside the lines."""
        self.ask()

    def ask(self) -> None:
        """What the transport asks between two packets."""
        for request in self.session.data_to_send(self.now):
            assert 0 < len(request) <= 64
        assert self.session.next_deadline(self.now) >= 0


class Units(Receiver):
    """And what the gap request proxy and the spin server said."""

    def __init__(self, image_timeout_ns: int) -> None:
        super().__init__("pitch", CboeUnit, image_timeout_ns=image_timeout_ns)

    def other(self, piece: bytes) -> None:
        self.ask()
        session: Any = self.session
        if len(piece) < 8:
            session.set_reachable(len(piece) % 2 == 0)
            return
        unit, status, messages, sequence = struct.unpack_from("<BBHI", piece)
        session.gap_response(unit, sequence, messages, chr(status & 0x7F), self.now)
        session.wants_image(unit)
        session.apply_image(unit, sequence, piece[8:], self.now)


def mold(sequence: int, messages: list[bytes]) -> bytes:
    """A MoldUDP64 packet (Nasdaq MoldUDP64 1.00)."""
    blocks = b"".join(len(each).to_bytes(2, "big") + each for each in messages)
    return struct.pack(">10sQH", b"SESSION001", sequence, len(messages)) + blocks


def iex(protocol: int, sequence: int, messages: list[bytes]) -> bytes:
    """An IEX-TP segment (IEX Transport Protocol 1.0)."""
    blocks = b"".join(len(each).to_bytes(2, "little") + each for each in messages)
    head = (1, 0, protocol, 1, 0x43CD0001, len(blocks), len(messages), 0, sequence, sequence)
    return struct.pack("<BBHIIHHqqq", *head) + blocks


def unit(sequence: int, messages: list[bytes]) -> bytes:
    """A sequenced unit datagram (Cboe PITCH 2.41)."""
    blocks = b"".join(messages)
    return struct.pack("<HBBI", 8 + len(blocks), len(messages), 1, sequence) + blocks


def xdp(sequence: int, messages: list[bytes]) -> bytes:
    """An XDP packet (NYSE XDP Common 2.3c)."""
    blocks = b"".join(messages)
    flag = 11 if messages else 1
    return (
        struct.pack(
            "<HBBIII", 16 + len(blocks), flag, len(messages), sequence, 1_640_995_200, sequence
        )
        + blocks
    )


def _nyse() -> list[bytes]:
    """And a reset, a retransmission, a refresh."""
    whole = wrapped("pillar", xdp)
    reset = b"\x1e\x00\x0c\x01" + struct.pack("<III", 1, 1_640_995_201, 0)
    reset += struct.pack("<HHIIBB", 14, 1, 1_640_995_201, 0, 1, 1)
    flagged = [
        script([(0, reset), (1, reset)]) + seed.replace(b"\x0b\x03", flag + b"\x03", 1)
        for seed, flag in zip(whole, (b"\x0d", b"\x11", b"\x0a") * 3, strict=False)
    ]
    return [*whole, *flagged, *captured("frames/nyse/*/*.pcap")]


def wrapped(protocol: str, frame: Callable[[int, list[bytes]], bytes]) -> list[bytes]:
    """The samples of a protocol as scripts: in packets of three, with a gap and its repair,
    the other line behind, a heartbeat."""
    found = []
    for messages in sample_messages(protocol):
        parts, sequence = [], 1
        for first in range(0, len(messages), 3):
            parts.append((0, frame(sequence, messages[first : first + 3])))
            sequence += len(messages[first : first + 3])
        parts = parts[:12]
        late = [parts[0], *parts[2:], (OTHER | 3 << 2, b""), (2, parts[1][1])] if parts[2:] else []
        for each in (parts, late, [(1, parts[0][1]), *parts, (0, frame(sequence, []))]):
            found.append(script(each))
    return found


@cache
def captured(pattern: str, most: int = 40) -> tuple[bytes, ...]:
    """The first datagrams of each capture of a pattern, in scripts of eight."""
    folder = captures()
    found: list[bytes] = []
    for path in sorted(folder.glob(pattern)) if folder else ():
        taken: list[bytes] = []
        for payload, _, _ in Capture(path):
            taken.append(payload)
            if len(taken) == most:
                break
        for first in range(0, len(taken), 8):
            found.append(script((0, each) for each in taken[first : first + 8]))
    return tuple(found)


def _answers(seeds: list[bytes]) -> list[bytes]:
    """Scripts with an answer of the proxy, or an image, in their middle."""
    image = b"".join(sample_messages("pitch")[0])
    answers = [struct.pack("<BBHI", 1, ord(each), 3, 4) for each in "AOISMDCU"]
    answers.append(struct.pack("<BBHI", 1, 0, 0, 5) + image)
    return [seed + script([(OTHER, answer)]) + seed for seed in seeds[:3] for answer in answers]


def _cboe() -> list[bytes]:
    seeds = wrapped("pitch", unit)
    return [*seeds, *_answers(seeds), *captured("pitch/mcastpitch_realtime*.pcap")]


def _target(name: str, covers: str, start: Callable[[], Receiver], seeds: Any) -> Target:
    return Target(
        name=name, covers=(f"ticker.feeds.{covers}",), start=start, seeds=seeds, per_subject=64
    )


TARGETS = [
    _target(
        "moldudp64",
        "sessions.moldudp64",
        lambda: Receiver("itch50", MoldUDP64),
        lambda: [*wrapped("itch50", mold), *captured("itch/*.mold.pcap"),
                 *captured("frames/nasdaq/*/*.pcap")],
    ),
    _target(
        "iextp-tops",
        "sessions.iextp",
        lambda: Receiver("tops", IexTp),
        lambda: [*wrapped("tops", partial(iex, 0x8003)), *captured("iex/TOPS16.pcapng.gz")],
    ),
    _target(
        "iextp-deep",
        "sessions.iextp",
        lambda: Receiver("deep", IexTp),
        lambda: [*wrapped("deep", partial(iex, 0x8004)), *captured("iex/DEEP10.s01.pcap.gz")],
    ),
    _target("xdp", "sessions.xdp", lambda: Receiver("pillar", Xdp), _nyse),
    _target("cboe_unit", "sessions.cboe_unit", lambda: Units(0), _cboe),
    _target("cboe_unit-image", "sessions.cboe_unit", lambda: Units(50 * MS), _cboe),
]  # fmt: skip
