"""The bus: what a server of NATS sends, and frames of other boxes.

An input of `frames` is a script: an operation's low bits say what its piece is (0, 1: a frame by a
shard's subject; 2: a frame of state; 3: the bridge is started again)."""

from __future__ import annotations

import random

from tests.cluster.pair import FEED, SHARDS, Box, Pair
from tests.cluster.source import rows_of
from tests.fuzz.subject import chunks, pieces, script
from tests.fuzz.target import Target
from ticker.cluster.frame import FrameKind, Head, asking, head_of, make_frame
from ticker.cluster.natswire import NatsReader
from ticker.cluster.notice import Notice, notice_frame, notice_of
from ticker.errors import DecodeError

STREAM = (
    b'INFO {"server_id":"X"} \r\n+OK\r\nPING\r\nPONG\r\n-ERR \'Slow Consumer\'\r\n'
    b"MSG tk.a.b.t.3 9 5\r\nhel\r\n\r\nMSG tk.a 10 _INBOX.1 0\r\n\r\n"
    b"HMSG a.b 11 12 17\r\nNATS/1.0\r\n\r\nabcde\r\n"
)
STATE, RESTART = 2, 3
MOST_RESTARTS = 8


def stream(data: bytes) -> None:
    reader = NatsReader(1 << 16)
    for chunk in chunks(data):
        for event in reader.receive_data(chunk):
            assert len(event) == 5


class Bridge:
    """A box that takes anything; each of its rows can be read, whatever came."""

    def __init__(self) -> None:
        self.box = Box()

    def __call__(self, data: bytes) -> None:
        restarts = 0
        for operation, piece in pieces(data):
            if operation & 3 == RESTART:
                restarts += 1
                if restarts <= MOST_RESTARTS:  # one costs as much as many frames
                    self.box.restart()
            elif operation & 3 == STATE:
                self.box.incoming.take_state(piece, 1)
            else:
                self.box.incoming.take(piece, 1)
            self.box.incoming.wanting()
        for *_, values in rows_of(self.box.mapping).values():
            assert values is not None
        self.box.records()


def sealed(data: bytes) -> bytes:
    """A script whose pieces are frames again, with the lengths and checks that they have now."""
    parts = []
    for operation, piece in pieces(data):
        if len(piece) >= 64 and piece[:4] == b"TKF1" and 1 <= piece[5] <= 5:
            number = int.from_bytes
            head = Head(
                kind=piece[5],
                shard=number(piece[6:8], "little"),
                epoch=number(piece[8:16], "little"),
                batch=number(piece[16:24], "little"),
                boot=number(piece[24:32], "little"),
                publish_time=number(piece[32:40], "little", signed=True),
                part=number(piece[60:62], "little"),
                parts=number(piece[62:64], "little"),
            )
            counts = {
                "defines": number(piece[40:42], "little"),
                "rows": number(piece[42:44], "little"),
                "trades": number(piece[44:48], "little"),
            }
            piece = make_frame(head, FEED, piece[64:], **counts)
        parts.append((operation, piece))
    return script(parts)


def frames() -> list[bytes]:
    """Images and deltas of a small market, whole and with some missing; states."""
    found = []
    for seed in range(4):
        chance = random.Random(seed)
        pair = Pair()
        rows = [pair.source.add(f"S{number}") for number in range(3)]
        parts = [(0, frame) for _, _, frame in pair.images()]
        for _ in range(6):
            pair.source.trade(chance.choice(rows), chance.randrange(1, 1000))
            pair.source.quote(chance.choice(rows), 5, 6)
            parts += [(0, frame) for _, _, frame in pair.frames() if chance.random() < 0.8]
        parts.append((STATE, pair.outgoing.state_frame(1)))
        parts.append((RESTART, b""))
        parts += [(0, frame) for _, _, frame in pair.images([0, 1])]
        found.append(script(parts[-10:]))
        found.append(script(parts[-4:]))
    return found


def heads(data: bytes) -> None:
    """What a relay does with frames of others."""
    head = head_of(data, FEED)
    if head.kind == FrameKind.FRAME_NOTICE:
        notice_of(data)


def notices() -> list[bytes]:
    notice = Notice(box="a/b", role="bridge", state="live", epoch=257, batches=(1, 2))
    ask = Head(FrameKind.FRAME_ASK, 0, 1, 0, 1, 1)
    return [
        notice_frame(notice, 1, FEED, 1),
        make_frame(ask, FEED, asking(range(SHARDS))),
        make_frame(Head(FrameKind.FRAME_NOTICE, 0, 1, 0, 1, 1), FEED, b"{}"),
        Pair().outgoing.state_frame(1),
    ]


def sealed_frame(data: bytes) -> bytes:
    return next((piece for _, piece in pieces(sealed(script([(0, data)])))), b"")


TARGETS = [
    Target(
        name="nats",
        covers=("ticker.cluster.natswire",),
        start=lambda: stream,
        seeds=lambda: [STREAM, b"\x03" + STREAM, STREAM[:40], b"MSG a 1 3\r\nabc\r\n"],
        errors=(DecodeError,),
        tokens=(b"MSG ", b"HMSG ", b"\r\n", b"INFO ", b"PING\r\n", b"99999"),
    ),
    Target(
        name="bus-frames",
        covers=("ticker.cluster.incoming", "ticker.cluster.heard", "ticker.cluster.frame"),
        start=Bridge,
        seeds=frames,
        per_subject=20,
        longest=1 << 14,
        repair=sealed,
    ),
    Target(
        name="bus-heads",
        covers=("ticker.cluster.frame", "ticker.cluster.notice"),
        start=lambda: heads,
        seeds=notices,
        errors=(DecodeError,),
        repair=sealed_frame,
    ),
]
