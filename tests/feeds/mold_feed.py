"""MoldUDP64 packets, and a session of them with what it delivered."""

from __future__ import annotations

from typing import Any

from tests.feeds.session_types import Heard
from ticker.feeds.session import DEADLINE_NEVER
from ticker.feeds.sessions.moldudp64 import MoldUDP64

NAME = b"SESSION001"


def packet(sequence: int, *messages: bytes, session: bytes = NAME, blocks: int = -1) -> bytes:
    body = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
    number = len(messages) if blocks < 0 else blocks
    return session + sequence.to_bytes(8, "big") + number.to_bytes(2, "big") + body


def heartbeat(sequence: int, session: bytes = NAME) -> bytes:
    return packet(sequence, session=session)


def end_of_session(sequence: int, session: bytes = NAME) -> bytes:
    return packet(sequence, session=session, blocks=0xFFFF)


def text(sequence: int) -> bytes:
    return b"m%d" % sequence


def numbered(sequence: int, number: int = 1, session: bytes = NAME) -> bytes:
    """A packet whose messages say their own sequence."""
    return packet(sequence, *map(text, range(sequence, sequence + number)), session=session)


class Feed(Heard):
    """A session of MoldUDP64; called with what a line brings."""

    __call__ = Heard.send

    def __init__(self, **options: Any) -> None:
        super().__init__(MoldUDP64, **options)

    def wanted(self) -> list[tuple[int, int]]:
        """(sequence, count) of the requests that are due."""
        requests = self.session.data_to_send(self.now)
        assert all(len(request) == 20 for request in requests)
        return [
            (int.from_bytes(request[10:18], "big"), int.from_bytes(request[18:], "big"))
            for request in requests
        ]

    def wait_until_nothing_is_missing(self) -> list[tuple[int, int]]:
        asked = []
        while self.session.next_deadline(self.now) != DEADLINE_NEVER:
            self.now = max(self.now, self.session.next_deadline(self.now))
            asked += self.wanted()
        return asked


def texts(*numbers: int) -> list[bytes]:
    return [text(number) for number in numbers]
