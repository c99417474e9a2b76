"""permessage-deflate of a real gateway: raw bytes, and the clients that people have."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.sync.client import connect as websockets_connect

from tests.conftest import Require
from tests.gateway.conftest import E9, Client, Rig, new_rig
from tests.gateway.rest.browser import Page, browse
from ticker.config import Config, GatewayConfig

TAIL = b"\x00\x00\xff\xff"
RSV1 = 0x40
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
NAMES = [f"SYMBOL{number}" for number in range(8)]
LIMIT = 4096


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = new_rig(Config(gateway=GatewayConfig(compression=True, max_message=LIMIT)))
    yield made
    assert made.close() == 0


class Deflating(Client):
    """A client that says what it sends deflated, and notes which frames came so."""

    def __init__(self, port: int, offer: str = OFFER, *, bits: int = 15, **options: Any) -> None:
        self.bits = bits
        self.first: list[int] = []
        super().__init__(port, headers=(offer,), **options)

    def receive_frame(self) -> tuple[int, bytes]:
        first = self.read(1)[0]
        self.first.append(first)
        self.buffer = bytes((first & ~RSV1,)) + self.buffer
        opcode, payload = super().receive_frame()
        if first & RSV1:
            payload = zlib.decompressobj(-self.bits).decompress(payload + TAIL)
        return opcode, payload

    def say(self, message: object, *, opcode: int = 1, fin: bool = True) -> None:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        made = zlib.compressobj(6, zlib.DEFLATED, -15)
        deflated = (made.compress(body) + made.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
        self.socket.sendall(self.frame(deflated, opcode | RSV1, fin))


Connect = Callable[..., Deflating]


@pytest.fixture
def connect(rig: Rig) -> Iterator[Connect]:
    with ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> Deflating:
            client = Deflating(rig.port, *arguments, **options)
            stack.callback(client.close)
            return client

        yield make


def rows_of(rig: Rig) -> list[int]:
    rows = [rig.row(name) for name in NAMES]
    for row in rows:
        rig.trade(row, 100 * E9)
    return rows


def test_it_is_off_until_the_operator_asks_for_it() -> None:
    rig = new_rig(Config())
    client = Client(rig.port, headers=(OFFER,))
    assert b"Extensions" not in client.head
    client.socket.sendall(client.frame(b"abc", 1 | RSV1))
    assert client.receive_close() == 1002
    client.close()
    assert rig.close() == 0


def test_who_does_not_ask_gets_plain_frames(rig: Rig) -> None:
    rows_of(rig)
    client = Client(rig.port)
    assert b"Extensions" not in client.head
    client.send({"action": "subscribe", "symbols": NAMES})
    assert {client.receive()["symbol"] for _ in NAMES} == set(NAMES)
    assert rig.counters["deflated"] == 0
    client.close()


@pytest.mark.parametrize("protocol", ["", "ticker.v1.json", "ticker.v1.msgpack"])
@pytest.mark.parametrize("bits", [9, 15])
def test_prices_come_deflated_and_are_the_same(
    rig: Rig, connect: Connect, protocol: str, bits: int
) -> None:
    rows = rows_of(rig)
    bound = f"; server_max_window_bits={bits}" if bits < 15 else ""
    client = connect(OFFER + bound, bits=bits, protocol=protocol)
    assert f"Sec-WebSocket-Extensions: {TAKEOVER}{bound}\r\n".encode() in client.head
    client.say({"action": "subscribe", "symbols": NAMES})
    for name in NAMES:
        assert client.until("snapshot")["symbol"] == name
    rig.trade(rows[3], 101 * E9)
    assert float(client.until("update")["price"]) == 101
    assert bool(client.first[-1] & RSV1) == ("msgpack" not in protocol), "that gets no shorter"


def test_a_frame_is_deflated_once_for_all_clients(
    rig: Rig, connect: Connect, wait_for: Callable[..., None]
) -> None:
    rows = rows_of(rig)
    clients = [connect() for _ in range(10)]
    for client in clients:
        client.say({"action": "subscribe", "symbols": NAMES})
        assert [client.receive()["symbol"] for _ in NAMES] == NAMES
    assert rig.counters["deflated"] == len(NAMES)
    assert rig.counters["deflated_shared"] == 9 * len(NAMES)
    rig.trade(rows[0], 102 * E9)
    assert {client.receive()["price"] for client in clients} == {102}
    wait_for(lambda: rig.counters["deflated_shared"] == 9 * len(NAMES) + 9)
    assert rig.counters["deflated"] == len(NAMES) + 1
    assert rig.counters["deflated_bytes_saved"] > 0


def test_a_batch_is_one_deflated_message_that_clients_of_one_list_share(
    rig: Rig, connect: Connect
) -> None:
    rows_of(rig)
    clients = [connect(protocol="ticker.v1.json") for _ in range(4)]
    for client in clients:
        client.say({"action": "configure", "batch": True, "pace": "saver"})
        client.until("configured")
        client.say({"action": "subscribe", "symbols": NAMES})
        batch = client.receive()
        while not isinstance(batch, list):
            batch = client.receive()
        assert [each["symbol"] for each in batch] == NAMES
        assert client.first[-1] & RSV1
    assert rig.counters["deflated"] == 1
    assert rig.counters["deflated_shared"] == 3


@pytest.mark.slow
def test_a_slow_client_gets_whole_deflated_frames(rig: Rig, connect: Connect) -> None:
    """What waits for a full socket, and is then cut anywhere, still inflates."""
    names = [f"S{i}" for i in range(60)]
    rows = [rig.row(name) for name in names]
    client = connect(receive_buffer=4096)
    client.say({"action": "subscribe", "symbols": names})
    price = rig.trade_until(rows, "send_blocked", 100)
    rig.trade(rows[0], 7 * E9)
    last: dict[object, object] = {}
    while len(last) < 60 or last["S0"] != 7 or set(last.values()) != {7, price}:
        message = client.receive()
        last[message["symbol"]] = message["price"]


def test_commands_in_fragments_and_plain_ones_beside_deflated_ones(
    rig: Rig, connect: Connect
) -> None:
    rows_of(rig)
    client = connect()
    made = zlib.compressobj(6, zlib.DEFLATED, -15)
    command = json.dumps({"action": "subscribe", "symbols": NAMES[:1]}).encode()
    body = (made.compress(command) + made.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
    client.socket.sendall(
        client.frame(body[:3], 1 | RSV1, fin=False)
        + client.frame(b"hello", 9)
        + client.frame(body[3:], 0)
    )
    assert client.receive_frame() == (10, b"hello")
    assert client.receive()["symbol"] == NAMES[0]
    client.send({"action": "subscribe", "symbols": NAMES[1:2]})
    assert client.receive()["symbol"] == NAMES[1]


def test_a_message_may_not_inflate_beyond_the_limit(rig: Rig, connect: Connect) -> None:
    client = connect()
    padding = LIMIT - len(json.dumps({"action": "subscribe", "symbols": [""]}))
    client.say({"action": "subscribe", "symbols": ["A" * padding]})
    assert client.receive()["type"] == "error"  # of the symbol: the message itself was read
    client.say(b" " * (LIMIT + 1))
    assert client.receive_close() == 1009
    assert rig.counters["inflates_refused"] == 1
    bomb = connect()
    bomb.say(b" " * 2_000_000)
    assert bomb.receive_close() == 1009
    assert rig.counters["inflates_refused"] == 2


@pytest.mark.parametrize(
    ("first", "payload", "code"),
    [
        (0x80 | RSV1 | 9, b"", 1002),  # a ping
        (0x80 | RSV1 | 8, b"\x03\xe8", 1002),  # a close
        (0x80 | RSV1 | 0, b"", 1002),  # no fragment begins a message
        (0x80 | 0x20 | 1, b"{}", 1002),
        (0x80 | 0x10 | 1, b"{}", 1002),
        (0x80 | RSV1 | 1, b"\xff\xff\xff", 1007),  # no deflated stream
    ],
)
def test_violations_close_with_their_code(
    connect: Connect, first: int, payload: bytes, code: int
) -> None:
    client = connect()
    data = bytearray(client.frame(payload))
    data[0] = first
    client.socket.sendall(data)
    assert client.receive_close() == code


def test_deflated_text_must_be_utf8(connect: Connect) -> None:
    client = connect()
    client.say(b'{"action": "\xff"}')
    assert client.receive_close() == 1007


def test_a_broken_list_of_extensions_is_refused(connect: Connect) -> None:
    client = connect(OFFER + ";", handshake=False)
    client.socket.sendall(client.request(OFFER + ";"))
    assert client.read_until(b"\r\n").startswith(b"HTTP/1.1 400 ")


def test_the_package_websockets_gets_prices(rig: Rig) -> None:
    rows = rows_of(rig)
    url = f"ws://127.0.0.1:{rig.port}/stream"
    with websockets_connect(url, compression="deflate", open_timeout=10) as socket:
        (agreed,) = socket.protocol.extensions
        assert agreed.name == "permessage-deflate"
        socket.send(json.dumps({"action": "subscribe", "symbols": NAMES}))
        assert [json.loads(socket.recv(10))["symbol"] for _ in NAMES] == NAMES
        for price in range(1, 30):
            rig.trade(rows[0], price * E9)
            assert json.loads(socket.recv(10))["price"] == price
    assert rig.counters["deflated"] >= len(NAMES)


@pytest.mark.parametrize("bits", [9, 15])
def test_aiohttp_gets_prices(rig: Rig, bits: int) -> None:
    rows = rows_of(rig)

    async def steps() -> None:
        url = f"http://127.0.0.1:{rig.port}/stream"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, compress=bits) as ws:
            assert ws.compress
            await ws.send_json({"action": "subscribe", "symbols": NAMES})
            assert [(await ws.receive_json(timeout=10))["symbol"] for _ in NAMES] == NAMES
            for price in range(1, 30):
                rig.trade(rows[0], price * E9)
                assert (await ws.receive_json(timeout=10))["price"] == price

    asyncio.run(steps())
    assert rig.counters["deflated"] >= len(NAMES)


SOCKET = """(() => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/stream');
    window.prices = {};
    window.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({action: 'subscribe', symbols: %s}));
    socket.onmessage = ({data}) => {
        const {symbol, price} = JSON.parse(data);
        window.prices[symbol] = price;
    };
    return true;
})()"""


@pytest.mark.slow
def test_chromium_gets_prices(require: Require, tmp_path: Path) -> None:
    require("chromium", "chromium is not installed")
    rig = Rig(f"deflate{os.getpid()}", Config(gateway=GatewayConfig(compression=True)))
    rows = rows_of(rig)

    async def steps(page: Page) -> None:
        await page.until(SOCKET % json.dumps(NAMES))
        await page.until(f"Object.keys(prices).length === {len(NAMES)}")
        assert await page.run("socket.extensions") == TAKEOVER
        rig.trade(rows[2], 123 * E9)
        await page.until(f"prices[{NAMES[2]!r}] === 123")

    try:
        browse(tmp_path, f"http://127.0.0.1:{rig.port}/", steps)
        assert rig.counters["deflated"]
    finally:
        rig.close()
