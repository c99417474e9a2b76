"""Messages of Cboe's gap request proxy and spin servers, in a stream of unsequenced units.

Half of the mutated inputs have the length and count of each frame made right again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from tests.fuzz.subject import MS, Subject, captures, chunks, sample_messages
from tests.fuzz.target import Target
from tests.fuzz.targets.packets import unit
from ticker.feeds.cboe.dialogue import SILENCE, Account, Dialogue, GapProxy, Spin
from ticker.feeds.cboe.frames import GAP_RESPONSE, HEADER, SPIN, SPIN_RESPONSE, FrameReader, frame
from ticker.feeds.protocols.pitch import Pitch
from ticker.feeds.session import SessionOptions
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.transports.pcap import Capture

ACCOUNT = Account(session_sub_id="0001", username="TICK", password="secret")
TIME = struct.pack("<BBI", 6, 0x20, 34_200)
ACCEPTED = frame(b"\x03\x02A")


class Talk(Subject):
    """A dialogue beside lines on which unit 1 has a gap, in the pieces that the first byte says."""

    def __init__(self, begin: Callable[[CboeUnit], Dialogue]) -> None:
        super().__init__(Pitch)
        self.begin = begin
        self.options = SessionOptions(
            rerequest=True, buffer_bytes=1 << 18, image_timeout_ns=400 * MS
        )

    def __call__(self, data: bytes) -> None:
        session = CboeUnit(self.protocol, self.mapping, self.options)
        talk = self.begin(session)
        session.receive_data(unit(3, [TIME, TIME]), 0, self.now)
        session.receive_data(unit(40, [TIME]), 0, self.now)
        talk.connected(self.now)
        for piece in chunks(data):
            self.now += MS
            talk.receive_data(piece, self.now)
            session.data_to_send(self.now)
            self.whole(talk.data_to_send(self.now))
            if talk.should_close:
                break
        self.whole(talk.data_to_send(self.now + SILENCE))
        assert talk.next_deadline() >= 0
        assert all(talk.take_events())
        talk.disconnected()
        session.end_of_data(self.now)
        self.check()

    def whole(self, said: bytes) -> None:
        """What is said is made of whole frames."""
        reader = FrameReader()
        assert said == b"" or list(reader.receive_data(said))


def image(sequence: int, *orders: bytes, announced: int = -1) -> bytes:
    """A Spin Response, orders and Spin Finished."""
    many = len(orders) if announced < 0 else announced
    head = SPIN_RESPONSE.pack(SPIN_RESPONSE.size, 0x82, sequence, many, b"A")
    return frame(head) + frame(*orders) + frame(SPIN.pack(SPIN.size, 0x83, sequence))


def seeds() -> list[bytes]:
    """Logins, every answer, images of all kinds, and the real dialogues."""
    orders = sample_messages("pitch")[0]
    available = frame(SPIN.pack(SPIN.size, 0x80, 9))
    refusals = [
        frame(GAP_RESPONSE.pack(GAP_RESPONSE.size, 4, 1, 6, 30, each.encode()))
        for each in "AOISMDCU"
    ]
    found = [ACCEPTED, frame(b"\x03\x02N"), frame() * 3, ACCEPTED + b"".join(refusals)]
    found += [ACCEPTED + each for each in refusals]
    found += [ACCEPTED + available + image(9, *orders)]
    found += [ACCEPTED + available + image(9, *orders[:2], announced=9) + available + image(50)]
    return found + real()


def real() -> list[bytes]:
    """Both sides of the captured dialogues, as one stream."""
    folder = captures()
    paths = sorted((folder / "pitch").glob("*_*_useq.pcap")) if folder else []
    found = []
    for path in paths:
        payloads = [payload for payload, _, _ in Capture(path, with_tcp=True)]
        units = [each for each in payloads if each[2:3] == b"\1" and each[4:8] == bytes(4)]
        found += [ACCEPTED + b"".join(units[at : at + 20]) for at in range(0, 60, 20)]
    return found


def repair(data: bytes) -> bytes:
    """The bytes behind each header as the whole messages that they begin with, framed anew."""
    found, at = [], 0
    while len(data) - at > HEADER.size:
        length = max(struct.unpack_from("<H", data, at)[0], HEADER.size + 1)
        body, messages = data[at + HEADER.size : at + length], []
        while len(body) > 2 and 2 <= body[0] <= len(body):
            messages.append(body[: body[0]])
            body = body[body[0] :]
        found.append(frame(*messages[:255]))
        at += length
    return b"".join(found)


def _target(name: str, begin: Callable[[CboeUnit], Dialogue]) -> Target:
    return Target(
        name=name,
        covers=("ticker.feeds.cboe.dialogue", "ticker.feeds.cboe.frames"),
        start=partial(Talk, begin),
        seeds=seeds,
        per_subject=64,
        repair=repair,
    )


TARGETS = [
    _target("cboe-gap-proxy", lambda session: GapProxy(session, ACCOUNT)),
    _target("cboe-spin", lambda session: Spin(session, ACCOUNT, 1)),
]
