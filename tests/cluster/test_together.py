"""Messages that come in one chunk go to their handlers in the order in which they came."""

from __future__ import annotations

from ticker.cluster.buses.nats import NatsBus
from ticker.cluster.natswire import Kind, NatsReader


def test_messages_that_came_together_are_given_together_and_in_order() -> None:
    bus = NatsBus((), "test")
    heard: list[object] = []
    many = bus.subscribe("a.*", lambda *_: heard.append("one"), heard.append)
    one = bus.subscribe("b", lambda subject, payload: heard.append((subject, payload)))
    gone = bus.subscribe("c.*", lambda *_: heard.append("gone"), heard.append)
    bus.unsubscribe(gone)
    sids = {"m": many.sid, "o": one.sid, "g": gone.sid}
    plan = [("m", b"a.1"), ("m", b"a.2"), ("o", b"b"), ("m", b"a.3"), ("g", b"c.1"), ("m", b"a.4")]
    text = b"".join(
        b"MSG %b %d 1\r\n%d\r\n" % (subject, sids[name], at)
        for at, (name, subject) in enumerate(plan)
    )
    events = NatsReader().receive_data(text[:60] + b"" + text[60:] + b"PONG\r\n")
    bus.take(events, lambda kind, _: heard.append(kind))
    assert heard == [
        [(b"a.1", b"0"), (b"a.2", b"1")],
        (b"b", b"2"),
        [(b"a.3", b"3")],
        [(b"a.4", b"5")],
        Kind.PONG,
    ]
    assert bus.said.messages == len(plan)
