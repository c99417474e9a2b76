"""Every decoder of binary messages, found by its samples: tests/data/<protocol>/*.bin.

An input is a row of messages, each behind a big-endian u16 of its length.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.subject import Subject, sample_messages
from tests.fuzz.target import Target
from ticker.feeds.workers.known import modules
from ticker.feeds.workers.pipeline import load_protocol


class Decoder(Subject):
    """A decoder, message by message. Each one is decoded by its type or counted as refused."""

    def __call__(self, data: bytes) -> None:
        at = fed = 0
        before = self._met()
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            message = data[at + 2 : at + 2 + length]
            at += 2 + length
            self.protocol.expect(message)
            self.protocol.unit = length & 3
            self.protocol.decode(message, self.now)
            fed += 1
        counts = hasattr(self.protocol, "message_counts")
        assert not counts or self._met() - before == fed, "a message was counted nowhere"
        self.check()

    def _met(self) -> int:
        counted = self.counters["short_messages"] + self.counters["unknown_types"]
        counts: dict[str, int] = getattr(self.protocol, "message_counts", {})
        return counted + sum(counts.values())


def rows_of(protocol: str) -> list[bytes]:
    """The samples of a protocol, as inputs."""
    return [
        b"".join(len(each).to_bytes(2, "big") + each for each in messages)
        for messages in sample_messages(protocol)
    ]


def _target(name: str) -> Target:
    start: Callable[[], Decoder] = lambda: Decoder(load_protocol(name), venue="XNAS")  # noqa: E731
    return Target(
        name=name,
        covers=(f"ticker.feeds.protocols.{name}",),
        start=start,
        seeds=lambda: rows_of(name),
        per_subject=256,
    )


TARGETS = [_target(name) for name in modules("protocols") if sample_messages(name)]
