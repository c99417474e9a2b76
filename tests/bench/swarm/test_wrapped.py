"""Other servers' wrappings: whole, byte by byte, with a tail, and invalid ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.swarm.checks import VIOLATIONS
from ticker.bench.swarm.publisher import price_at
from ticker.bench.swarm.swarm import Swarm
from ticker.bench.swarm.symbols import symbol_names
from ticker.bench.swarm.wrapped import DIALECTS, pieces, subscription
from ticker.units import format_timestamp

NOW = 1_774_794_601_234_000_000
PRICE = b'{"type":"update","symbol":"AAAA","price":1.5,"timestamp":"2026-03-29T14:30:01.000000Z"}'
NATS, CENTRIFUGO, CENTRIFUGE, SOCKETIO = (
    DIALECTS[name] for name in ("nats", "centrifugo", "centrifuge", "socketio")
)
NATS_STREAM = (
    b'INFO {"server_id":"x"}\r\n'
    + b"PONG\r\n"
    + b"MSG AAAA 1 %d\r\n%b\r\n" % (len(PRICE), PRICE)
    + b"MSG AAAA 1 _INBOX.7 %d\r\n%b\r\n" % (len(PRICE), PRICE)
    + b"PING\r\n+OK\r\n-ERR 'Slow Consumer'\r\n"
)
NATS_PIECES = [
    ("other", b""),
    ("welcome", b""),
    ("price", PRICE),
    ("price", PRICE),
    ("ping", b""),
    ("other", b""),
    ("refused", b""),
]


def test_nats_operations_are_read_whole_and_cut_at_every_byte() -> None:
    assert pieces(NATS, NATS_STREAM) == (NATS_PIECES, len(NATS_STREAM))
    for cut in range(len(NATS_STREAM)):
        first, used = pieces(NATS, NATS_STREAM[:cut])
        second, rest = pieces(NATS, NATS_STREAM[used:])
        assert first + second == NATS_PIECES
        assert used + rest == len(NATS_STREAM)


@pytest.mark.parametrize(
    "data", [b"HELLO\r\n", b"MSG AAAA 1 x\r\n", b"MSG A 1 99999999\r\n", b"\n"]
)
def test_what_is_not_nats_is_refused(data: bytes) -> None:
    assert pieces(NATS, data) == ([], -1)


def test_centrifugo_frames_hold_several_objects() -> None:
    push = b'{"push":{"channel":"AAAA","pub":{"data":%b,"offset":3}}}' % PRICE
    frame = b"\n".join(
        [
            b'{"id":1,"connect":{"client":"c","version":"6","ping":25,"pong":true}}',
            b'{"id":2,"subscribe":{}}',
            push,
            push,
            b"{}",
            b'{"push":{"channel":"AAAA","join":{"info":{}}}}',
            b'{"id":3,"error":{"code":103,"message":"permission denied"}}',
        ]
    )
    found, used = pieces(CENTRIFUGO, frame)
    assert used == len(frame)
    assert [kind for kind, _ in found] == [
        *("welcome", "subscribed", "price", "price", "ping", "other", "refused")
    ]
    assert [body for kind, body in found if kind == "price"] == [PRICE, PRICE]
    assert pieces(CENTRIFUGO, b"nonsense") == ([], -1)


def test_centrifugo_of_version_1_answers_in_results() -> None:
    push = b'{"result":{"channel":"AAAA","data":{"data":%b,"offset":3}}}' % PRICE
    frame = b"\n".join(
        [
            b'{"id":1,"result":{"client":"c","version":""}}',
            b'{"id":2,"result":{}}',
            push,
            push,
            b'{"result":{"type":1,"channel":"AAAA","data":{"info":{}}}}',
            b'{"id":3,"error":{"code":105,"message":"already subscribed"}}',
        ]
    )
    frame += b"\n"
    found, used = pieces(CENTRIFUGE, frame)
    assert used == len(frame)
    assert [kind for kind, _ in found] == [
        *("welcome", "subscribed", "price", "price", "other", "refused")
    ]
    assert [body for kind, body in found if kind == "price"] == [PRICE, PRICE]
    assert pieces(CENTRIFUGE, b"nonsense") == ([], -1)
    assert pieces(CENTRIFUGE, push[:60]) == ([], -1)


def test_socketio_packets() -> None:
    event = b'42["price",%b]' % PRICE
    assert pieces(SOCKETIO, event) == ([("price", PRICE)], len(event))
    assert pieces(SOCKETIO, b'0{"sid":"a"}')[0] == [("other", b"")]
    assert pieces(SOCKETIO, b'40{"sid":"b"}')[0] == [("welcome", b"")]
    assert pieces(SOCKETIO, b"2")[0] == [("ping", b"")]
    assert pieces(SOCKETIO, b'44{"message":"no"}')[0] == [("refused", b"")]
    assert pieces(SOCKETIO, b"9") == ([], -1)


def test_what_subscribes() -> None:
    assert subscription(NATS, ["A", "B"]) == b"SUB A 1\r\nSUB B 2\r\nPING\r\n"
    commands = subscription(CENTRIFUGO, ["A", "B"]).split(b"\n")
    assert [json.loads(each)["subscribe"]["channel"] for each in commands] == ["A", "B"]
    assert json.loads(subscription(SOCKETIO, ["A", "B"])[2:]) == ["subscribe", ["A", "B"]]


def binary(payload: bytes) -> bytes:
    return b"\x82\x7e" + len(payload).to_bytes(2, "big") + payload


def message(symbol: str, time: int) -> bytes:
    text = json.dumps(
        {
            "type": "update",
            "symbol": symbol,
            "price": price_at(time) / 1e9,
            "timestamp": format_timestamp(time),
        }
    ).encode()
    return b"MSG %b 1 %d\r\n%b\r\n" % (symbol.encode(), len(text), text)


def test_the_swarm_speaks_nats_through_frames_that_cut_operations(raw_frames_server: Any) -> None:
    """The stream of ten updates and a ping comes in frames of 50 bytes."""

    def answer(text: bytes) -> list[bytes]:
        if text.startswith(b"CONNECT"):
            return [binary(b"INFO {}\r\nPONG\r\n")]
        if not text.startswith(b"SUB"):
            return []
        symbols = [line.split()[1].decode() for line in text.split(b"\r\n") if b"SUB" in line]
        updates = b"".join(message(each, NOW + 1000 * k) for k in range(5) for each in symbols)
        stream = b"PONG\r\n" + updates + b"PING\r\n"
        return [binary(stream[at : at + 50]) for at in range(0, len(stream), 50)]

    server = raw_frames_server(answer)
    swarm = Swarm("127.0.0.1", server.port, symbol_names(7), 3, 2, verify=True, dialect="nats")
    swarm.connect(timeout=10)
    swarm.subscribe(timeout=10, watchers=3)
    assert swarm.drain(quiet=0.2, timeout=10)
    found = swarm.as_dict()
    assert found["updates"] == 3 * 2 * 5
    assert found["pings"] == 3
    assert not any(found[name] for name in VIOLATIONS)
    assert server.heard.count(b"PONG\r\n") == 3


WORDS = st.sampled_from(
    [
        *(
            b"MSG A 1 5\r\n",
            b"MSG ",
            b"PING\r\n",
            b"INFO ",
            b"\r\n",
            b"\n",
            b"42[",
            b"]",
            b"{}",
            b"}",
        ),
        *(b'{"push":', b'"data":{', b'"connect":', b'"error":', b"40{", b"0{", b"2", b"hello"),
    ]
)


@given(
    st.sampled_from([NATS, CENTRIFUGO, CENTRIFUGE, SOCKETIO]),
    st.lists(WORDS | st.binary(max_size=8), max_size=12).map(b"".join),
)
def test_any_bytes_give_pieces_or_are_refused(dialect: int, data: bytes) -> None:
    found, used = pieces(dialect, data)
    assert -1 <= used <= len(data)
    assert all(body in data for _, body in found)
