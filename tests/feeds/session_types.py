"""A session of numbered messages in private memory, for tests that say what each line brings."""

from __future__ import annotations

from typing import Any

from ticker.feeds.protocol import MessageLog
from ticker.feeds.session import SessionOptions
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.segment import Geometry, private_feed

A, B, RETRANSMISSION = 0, 1, 2
MS = 1_000_000
SECOND = 1_000_000_000
START = 1_000_000 * SECOND


class Heard:
    """A session, what it delivered, and its counters."""

    def __init__(self, session: Any, mapping: Mapping | None = None, **options: Any) -> None:
        self.mapping = mapping or private_feed(Geometry(16, 1, 16), 1, 0)
        self.log = MessageLog()
        self.session = session(self.log, self.mapping, SessionOptions(**options))
        self.now = START

    def send(self, data: bytes, line: int = A, at: int | None = None) -> None:
        self.session.receive_data(data, line, self.now if at is None else at)

    def __getitem__(self, name: str) -> int:
        return Counters(self.mapping)[name]

    @property
    def messages(self) -> list[bytes]:
        return self.log.messages
