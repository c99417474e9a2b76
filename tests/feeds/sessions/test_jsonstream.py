"""Texts out of a stream: whole, byte by byte, with a tail, and with broken ones among them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.feeds.protocol import MessageLog
from ticker.feeds.sessions.framed import Framed
from ticker.feeds.sessions.jsonstream import JsonStream
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed

TEXTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def split(*chunks: bytes) -> list[bytes]:
    log = MessageLog()
    session = JsonStream(log, private_feed(Geometry(rows=4, rings=1, ring_capacity=16), 1, 1))
    for chunk in chunks:
        session.receive_data(chunk, 0, 1)
    session.end_of_data(2)
    return log.messages


@pytest.mark.parametrize(
    ("stream", "texts"),
    [
        (b'{"a":1}\n[2]\r\n\n{"b":"}"}\n', [b'{"a":1}', b"[2]", b'{"b":"}"}']),
        (b'{\n  "a": [\n    1\n  ]\n}\n{"b":2}', [b'{\n  "a": [\n    1\n  ]\n}', b'{"b":2}']),
        (b"[1][2]{}", [b"[1]", b"[2]", b"{}"]),
        (b"PING\n{}\n", [b"PING", b"{}"]),
        (b'{"a":"x\\"y\\\\"}{}', [b'{"a":"x\\"y\\\\"}', b"{}"]),
        # Cut lines do not take the next ones along.
        (b'{"a":1\n{"b":2}\n{"c":3}\n', [b'{"a":1\n', b'{"b":2}', b'{"c":3}']),
        (b'{"a":"x\n{"b":2}\n', [b'{"a":"x', b'{"b":2}']),
        (b'{"a" "b"}\n{"c":3}\n', [b'{"a" "b"}', b'{"c":3}']),
        (b"]\n{}\n", [b"]", b"{}"]),
        (b'{"a":', [b'{"a":']),
        (b"", []),
    ],
)
def test_where_texts_end(stream: bytes, texts: list[bytes]) -> None:
    assert split(stream) == texts
    assert split(*(stream[at : at + 1] for at in range(len(stream)))) == texts


@given(st.lists(TEXTS.filter(lambda value: isinstance(value, (list, dict)))), st.data())
def test_every_text_is_found(values: list[object], data: st.DataObject) -> None:
    indent = data.draw(st.sampled_from([None, 0, 1, 4]))
    between = data.draw(st.sampled_from(["", "\n", "\r\n", "  "]))
    stream = between.join(json.dumps(value, indent=indent) for value in values).encode()
    cut = data.draw(st.integers(0, len(stream)))
    assert [json.loads(text) for text in split(stream[:cut], stream[cut:])] == values


@given(st.lists(st.binary(max_size=30) | st.text('{}[]",:1\n\\ ', max_size=20).map(str.encode)))
def test_any_chunks_are_texts(chunks: list[bytes]) -> None:
    found = split(*chunks)
    stream = b"".join(chunks)
    assert sum(map(len, found)) <= len(stream)
    assert found == split(stream)


@given(st.binary(max_size=40))
def test_a_good_line_after_two_line_ends_is_found(junk: bytes) -> None:
    """After any bytes, the second of two good lines at the latest is taken by itself."""
    good = b'{"sym":"A","px":1,"ts":1}'
    found = split(junk + b"\n" + good + b"\n" + good + b"\n")
    assert good in found


@pytest.mark.slow
def test_a_text_without_end_is_given_up() -> None:
    chunks = (*([b"[" + b"1," * 500_000] * 20), b"\n", b"{}\n")
    found = split(*chunks)
    assert found[-1] == b"{}"
    assert len(found[0]) <= (1 << 24) + (1 << 20)
    segment = private_feed(Geometry(rows=4, rings=1, ring_capacity=16), 1, 1)
    session = JsonStream(MessageLog(), segment)
    for chunk in chunks:
        session.receive_data(chunk, 0, 1)
    assert Counters(segment)["too_long"] == 1


def test_framed_messages() -> None:
    segment = private_feed(Geometry(rows=4, rings=1, ring_capacity=16), 1, 1)
    log = MessageLog()
    session = Framed(log, segment)
    session.receive_data(b"[1", 0, 5)
    session.receive_data(b"", 0, 7)
    assert log.messages == [b"[1"]
    assert session.last_packet_ns == 7
    counts = Counters(segment)
    assert (counts["messages"], counts["heartbeats"], counts["bytes"]) == (1, 1, 2)
