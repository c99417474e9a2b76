"""The NATS protocol: whole, byte by byte and with a tail; any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.cluster import natswire
from ticker.cluster.natswire import LONGEST_LINE, Kind, NatsReader
from ticker.errors import DecodeError

Event = tuple[Kind, int, bytes, bytes, bytes]

STREAM = (
    b'INFO {"server_id":"X","max_payload":1048576} \r\n'
    b"PING\r\n"
    b"+OK\r\n"
    b"MSG tk.prod.a.t.3 9 5\r\nhel\r\n\r\n"
    b"MSG tk.prod.a.q 10 _INBOX.1 0\r\n\r\n"
    b"HMSG a.b 11 12 17\r\nNATS/1.0\r\n\r\nabcde\r\n"
    b"-ERR 'Unknown Protocol Operation'\r\n"
    b"PONG\r\n"
)
EVENTS: list[Event] = [
    (Kind.INFO, 0, b'{"server_id":"X","max_payload":1048576}', b"", b""),
    (Kind.PING, 0, b"", b"", b""),
    (Kind.OK, 0, b"", b"", b""),
    (Kind.MESSAGE, 9, b"tk.prod.a.t.3", b"hel\r\n", b""),
    (Kind.MESSAGE, 10, b"tk.prod.a.q", b"", b"_INBOX.1"),
    (Kind.MESSAGE, 11, b"a.b", b"abcde", b""),
    (Kind.ERROR, 0, b"Unknown Protocol Operation", b"", b""),
    (Kind.PONG, 0, b"", b"", b""),
]


def test_a_stream_is_read_whole() -> None:
    assert NatsReader().receive_data(STREAM) == EVENTS


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40])
def test_chunks_of_any_size_give_the_same_events(size: int) -> None:
    reader = NatsReader()
    found: list[Event] = []
    for at in range(0, len(STREAM), size):
        found += reader.receive_data(STREAM[at : at + size])
    assert found == EVENTS


def test_a_tail_waits_for_its_end() -> None:
    reader = NatsReader()
    assert reader.receive_data(STREAM + b"MSG a 1 3\r\nab") == EVENTS
    assert reader.receive_data(b"c\r") == []
    assert reader.receive_data(b"\n") == [(Kind.MESSAGE, 1, b"a", b"abc", b"")]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"HELLO\r\n",
        b"PING\n",
        b"MSG a 1\r\n",
        b"MSG a 1 2 3 4\r\n",
        b"MSG a one 3\r\nabc\r\n",
        b"MSG a 1 -3\r\nabc\r\n",
        b"MSG a 1 3\r\nabcd\r\n",
        b"MSG a 1 99999999999\r\n",
        b"MSG a 1 9999999999999999999999\r\n",
        b"HMSG a 1 3\r\nabc\r\n",
        b"HMSG a 1 9 3\r\nabc\r\n",
        b"x" * (LONGEST_LINE + 1),
    ],
)
def test_what_is_no_server_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="NATS"):
        NatsReader().receive_data(data)


def test_a_message_may_be_as_long_as_the_reader_takes() -> None:
    reader = NatsReader(4)
    assert reader.receive_data(b"MSG a 1 4\r\nabcd\r\n")[0][3] == b"abcd"
    with pytest.raises(DecodeError, match="4 are taken"):
        reader.receive_data(b"MSG a 1 5\r\nabcde\r\n")


messages = st.tuples(
    st.lists(st.text("abcXYZ09_-", min_size=1, max_size=8), min_size=1, max_size=4).map(".".join),
    st.integers(0, 1 << 40),
    st.binary(max_size=80),
)


@given(st.lists(messages, max_size=8), st.integers(1, 64))
def test_messages_of_a_server_are_read_as_it_sent_them(
    sent: list[tuple[str, int, bytes]], size: int
) -> None:
    stream = b"".join(
        b"MSG %b %d %d\r\n%b\r\n" % (subject.encode(), sid, len(payload), payload)
        for subject, sid, payload in sent
    )
    reader = NatsReader()
    found: list[Event] = []
    for at in range(0, len(stream), size):
        found += reader.receive_data(stream[at : at + size])
    assert [(each[2].decode(), each[1], each[3]) for each in found] == sent


@given(st.binary(max_size=200))
def test_any_bytes_give_events_or_the_declared_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        NatsReader().receive_data(data)


def test_commands() -> None:
    assert natswire.connect(b"{}") == b"CONNECT {}\r\n"
    assert natswire.subscribe(b"a.*.>", 7) == b"SUB a.*.> 7\r\n"
    assert natswire.unsubscribe(7) == b"UNSUB 7\r\n"
    assert natswire.publish(b"a.b", b"x\r\n") == b"PUB a.b 3\r\nx\r\n\r\n"


@given(st.lists(st.tuples(messages, st.sampled_from([b"", b"_INBOX.1"])), max_size=6))
def test_messages_in_one_go_are_as_the_protocol_has_them(
    sent: list[tuple[tuple[str, int, bytes], bytes]],
) -> None:
    made = natswire.publish_all([(name.encode(), body, reply) for (name, _, body), reply in sent])
    assert made == b"".join(
        b"PUB %b %b%d\r\n%b\r\n" % (name.encode(), reply and reply + b" ", len(body), body)
        for (name, _, body), reply in sent
    )


def test_a_long_message() -> None:
    body = b"x" * 1_048_576
    assert natswire.publish_all([(b"a", body), (b"b", b"")]) == (
        b"PUB a 1048576\r\n" + body + b"\r\nPUB b 0\r\n\r\n"
    )


@pytest.mark.parametrize("subject", [b"", b"a b", b"a\r\nPUB b", b"a..b", b".a", b"a.", b"a\n"])
def test_a_subject_that_would_be_another_command_is_refused(subject: bytes) -> None:
    with pytest.raises(DecodeError, match="no subject"):
        natswire.publish(subject, b"")
    with pytest.raises(DecodeError, match="no subject"):
        natswire.subscribe(subject, 1)
    with pytest.raises(DecodeError, match="no subject"):
        natswire.publish(b"a", b"", subject or b".")
