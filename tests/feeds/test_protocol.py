"""The base of the decoders, and the one that only keeps."""

from __future__ import annotations

from ticker.feeds.protocol import MessageLog, Protocol
from ticker.feeds.workers.pipeline import load_protocol


def test_the_base_ignores_everything() -> None:
    protocol = Protocol(midnight_ns=5)
    protocol.decode(b"message")
    protocol.expect(b"message")
    assert protocol.midnight_ns == 5


def test_the_log_keeps_everything_in_order() -> None:
    log = MessageLog()
    for message in (b"one", b"", b"two"):
        log.decode(message)
    assert log.messages == [b"one", b"", b"two"]


def test_a_protocol_names_its_usual_session() -> None:
    assert Protocol.session == ""
    assert load_protocol("itch50").session == "moldudp64"
