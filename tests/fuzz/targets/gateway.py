"""Bytes of clients: WebSocket frames, request heads, commands."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial
from ipaddress import ip_address

import msgspec

from tests.fuzz.jsonshape import varied
from tests.fuzz.subject import chunks
from tests.fuzz.target import Target
from ticker.config import Config
from ticker.gateway.access.forwarded import Proxies
from ticker.gateway.access.handshake import MAX_HEAD, parse_head, upgrade
from ticker.gateway.access.origins import Names
from ticker.gateway.access.problems import Refusal
from ticker.gateway.access.proxy import HEAD as HEAD_OF_PROXY
from ticker.gateway.access.proxy import SIGNATURE, ProxyError, parse_header
from ticker.gateway.dialects.speaker import VENDORS, read_request
from ticker.gateway.dialects.vendor import Change, NoChannelError, RequestError, is_symbol
from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.codec import CODECS, JSON, MSGPACK, PROTOBUF
from ticker.gateway.protocol.commands import (
    CommandError,
    error_message,
    parse_command,
    seen,
    symbols_of,
)
from ticker.gateway.protocol.messages import (
    Command,
    Configure,
    Ping,
    Reconnect,
    Subscribe,
    Unsubscribe,
)
from ticker.gateway.sockets.connection import VendorEncoding
from ticker.gateway.sockets.frames import FrameParser

DECLARED = {1002, 1007, 1008, 1009}
MASK = b"\xa1\xb2\xc3\xd4"
LIMITS = {"max_message": 300, "max_fragments": 6}


def masked(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, form: int = 0) -> bytes:
    """A client's frame (RFC 6455, section 5.2); `form`: the length form, 0 the shortest."""
    size = len(payload)
    form = form or (1 if size < 126 else 2 if size < 65536 else 8)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    head += bytes([0x80 | size]) if form == 1 else bytes([0x80 | (126 if form == 2 else 127)])
    head += size.to_bytes(form, "big") if form > 1 else b""
    return head + MASK + bytes(byte ^ MASK[at & 3] for at, byte in enumerate(payload))


def vary(chance: random.Random) -> bytes:
    """A row of frames that are right, but for their order, sizes and reserved bits."""
    found = []
    for _ in range(chance.randint(1, 8)):
        opcode = chance.choice((0, 1, 1, 2, 8, 9, 10, chance.randrange(16)))
        size = chance.choice((0, 1, 2, 5, 125, 126, chance.randrange(400)))
        payload = chance.choice((b"a", "é€😀".encode(), b"\x03\xe8", b"\xff", b"{}"))
        payload = (payload * size)[:size] if chance.random() < 0.9 else chance.randbytes(size)
        rsv = chance.choice((0,) * 20 + (1, 4))
        form = chance.choice((0,) * 9 + (8,))
        found.append(masked(opcode, payload, fin=chance.random() < 0.6, rsv=rsv, form=form))
    return b"".join(found)


def read_frames(data: bytes) -> None:
    """Events, the last one maybe an error, and the same ones however the bytes are cut."""
    whole = FrameParser(**LIMITS).receive_data(data)
    parser = FrameParser(**LIMITS)
    assert [event for chunk in chunks(data) for event in parser.receive_data(chunk)] == whole
    for name, code, payload in whole:
        assert name != "error" or (code in DECLARED and (name, code, payload) == whole[-1])
        assert name != "message" or len(payload) <= LIMITS["max_message"]
        if name == "message" and code == 1:
            payload.decode()


def frames() -> list[bytes]:
    """Messages of every length form, fragments with control frames between, closes."""
    texts = [masked(1, b"x" * size) for size in (0, 1, 125, 126, 300, 301)]
    parts = masked(1, "é".encode()[:1], fin=False) + masked(9, b"p") + masked(0, "é".encode()[1:])
    closes = [masked(8, code.to_bytes(2, "big") + b"why") for code in (1000, 1005, 3000, 4999)]
    long = bytes([0x81, 0xFF]) + (1 << 62).to_bytes(8, "big") + MASK
    many = masked(2, b"", fin=False) + masked(0, b"", fin=False) * 6
    return [*texts, parts, *closes, long, many, masked(8, b""), b"".join(texts[:3]) + parts]


def read_proxy_header(data: bytes) -> None:
    """A PROXY header: its length lies inside what came, its address is one."""
    found = parse_header(data)
    if found is not None:
        end, address = found
        assert 16 <= end <= len(data)
        assert address is None or ip_address(address)


def proxy_headers() -> list[bytes]:
    """For IPv4, IPv6, of the proxy itself, with extensions, and followed by a request."""
    four = HEAD_OF_PROXY.pack(SIGNATURE, 0x21, 0x11, 12) + bytes([127, 0, 0, 1] * 2) + b"\1\2\3\4"
    six = HEAD_OF_PROXY.pack(SIGNATURE, 0x21, 0x21, 40) + bytes(range(40))
    return [four, six, HEAD_OF_PROXY.pack(SIGNATURE, 0x20, 0, 0), four + HEAD, six[:20]]


NAMES = Names(Config())


def read_forwarded(data: bytes) -> None:
    """Headers of a proxy, a line each: an address, and a page that is let in or refused."""
    texts = data.decode("latin-1").split("\n")
    for proxies in (Proxies(["10.0.0.0/8"]), Proxies(["10.0.0.0/8"], "forwarded")):
        assert ip_address(proxies.client(lambda _: texts, "10.0.0.1"))
        address = proxies.address(lambda _: texts, "10.0.0.1", encrypted=False)
        assert set(address.schemes) <= {"http", "https"}
        for check in (NAMES.check_host, partial(NAMES.check_origin, address=address)):
            with suppress(Refusal):
                check(texts[:1])


HEAD = (
    b"GET /stream HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def read_head(data: bytes) -> None:
    """A head, whole or not yet, and the answer to it; a refusal is a document."""
    try:
        head = parse_head(data)
        assert head is not None or len(data) <= MAX_HEAD
        if head is not None:
            answer = upgrade(head)
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert answer.count(b"\r\n\r\n") == 1
    except Refusal as refusal:
        msgspec.json.decode(refusal.document("/stream"))
        raise


def read_command(encoding: int, data: bytes) -> None:
    """A command with names that can be looked up, or an error that can be sent, in any
    encoding. JSON comes as text, the others as binary messages."""
    try:
        command = parse_command(data, encoding == JSON, CODECS[encoding])
        if not isinstance(command, Subscribe | Unsubscribe | Reconnect):
            return
        names = symbols_of(command)
        assert all(0 < len(name) < 24 and name.isascii() for name in names)
        for name in names:
            seen(command.last_seen[name]) if isinstance(command, Reconnect) else None
    except CommandError as error:
        for codec in CODECS:
            assert codec.frame(error_message(error))
        raise


def read_vendor_request(encoding: int, data: bytes) -> None:
    """A request of a vendor's dialect, as text and as a binary message; its refusal has words."""
    vendor = VENDORS[encoding][0]
    for is_text in (True, False):
        try:
            found = read_request(encoding, is_text, data)
        except (RequestError, NoChannelError) as error:
            assert vendor.refused(error)
            if not is_text:
                raise
            continue
        if isinstance(found, Change):
            assert all(is_symbol(name) for _, names in found.wanted for name in names)
            assert vendor.changed(found, {}) is not None


VENDOR_REQUESTS = (
    {"action": "auth", "key": "k", "secret": "s"},
    {"action": "subscribe", "trades": ["AAPL", "*"], "quotes": [], "statuses": ["BRK.B"]},
    {"action": "unsubscribe", "quotes": ["*"]},
    {"action": "auth", "params": "key"},
    {"action": "subscribe", "params": "T.AAPL,Q.*, T.BRK.B,A.X,,"},
)
OF_JSON = tuple(map(msgspec.json.encode, VENDOR_REQUESTS))
OF_VENDORS = (
    b'"params":',
    b'"trades":[',
    b'"*"',
    b"T.",
    b"Q.*",
    b",",
    b"[" * 200,
    b"\xff",
    b"null",
)


def vendor_seeds(encoding: int) -> list[bytes]:
    packed = encoding == VendorEncoding.ALPACA_MSGPACK
    return [msgspec.msgpack.encode(each) for each in VENDOR_REQUESTS] if packed else list(OF_JSON)


SENT: tuple[Command, ...] = (
    Subscribe(symbols=["AAPL", "MSFT"], id="1", channel="quote"),
    Unsubscribe(symbol="AAPL"),
    Reconnect(last_seen={"AAPL": 1_774_794_601_234_000, "MSFT": -1}),
    Configure(max_rate=2.5, batch=True),
    Ping(id="x"),
)
COMMANDS = (
    b'{"action":"subscribe","symbols":["AAPL","MSFT"],"id":1}',
    b'{"action":"subscribe","symbol":"AAPL","channel":"price","id":"x"}',
    b'{"action":"unsubscribe","symbols":["AAPL"]}',
    b'{"action":"reconnect","last_seen":{"AAPL":"2026-03-29T14:30:01.234Z","MSFT":null}}',
    b'{"action":"ping"}',
    b'{"action":"configure","max_rate":5,"batch":true}',
    b'{"action":"auth","token":"x"}',
    b'{"action":"subscribe","symbols":' + b"[" * 1000 + b"]" * 1000 + b"}",
)
WORDS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\u0000", b"\\ud800", b"\xff", b"\xef\xbb\xbf",
    b"NaN", b"1e400", b"true", b"null", b'"action":', b'"id":', b'"__proto__":{}', b"[" * 200,
    b'"symbols":[]', b'"AAPL"', b'"' + b"A" * 300 + b'"', b" ", b'"channel":"quote"',
)  # fmt: skip

TARGETS = [
    *(
        Target(
            name=f"vendor-{encoding.name.lower()}",
            covers=(f"ticker.gateway.dialects.{VENDORS[encoding][0].name}",),
            start=partial(partial, read_vendor_request, encoding),
            seeds=partial(vendor_seeds, encoding),
            errors=(RequestError, NoChannelError),
            per_subject=1000,
            tokens=OF_VENDORS,
            vary=None if encoding == VendorEncoding.ALPACA_MSGPACK else varied(lambda: OF_JSON),
        )
        for encoding in (
            VendorEncoding.ALPACA_JSON, VendorEncoding.ALPACA_MSGPACK, VendorEncoding.POLYGON_JSON,
        )
    ),
    Target(
        name="proxy-header",
        covers=("ticker.gateway.access.proxy",),
        start=lambda: read_proxy_header,
        seeds=proxy_headers,
        errors=(ProxyError,),
        per_subject=1000,
        longest=1200,
    ),
    Target(
        name="forwarded",
        covers=("ticker.gateway.access.forwarded", "ticker.gateway.access.origins"),
        start=lambda: read_forwarded,
        seeds=lambda: [b"198.51.100.7, 10.0.0.1", b"198.51.100.7:40000\n10.0.0.1:80",
                       b'for="[2001:db8::7]:443";proto=https;host="a.b:8443", for=10.1.1.1',
                       b"[2001:db8::7]", b'"::ffff:198.51.100.7"', b"https://desk.example"],
        per_subject=1000,
        longest=8192,
        tokens=(b"for=", b"proto=", b"host=", b";", b",", b'"', b"\\", b"[", b"]", b":", b"\n",
                b"::ffff:", b"%eth0", b"10.0.0.1", b"http://", b"https"),
    ),
    Target(
        name="frames",
        covers=("ticker.gateway.sockets.frames",),
        start=lambda: read_frames,
        seeds=frames,
        per_subject=1000,
        vary=vary,
    ),
    Target(
        name="handshake",
        covers=("ticker.gateway.access.handshake",),
        start=lambda: read_head,
        seeds=lambda: [HEAD, HEAD.replace(b"Upgrade", b"upgrade"), HEAD + HEAD, HEAD[:-2],
                       HEAD[:-2] + b"X: " + b"x" * 8192 + b"\r\n\r\n",
                       HEAD[:-2] + b"Content-Length: 3\r\n\r\nabc", b"GET / HTTP/1.0\r\n\r\n"],
        errors=(Refusal,),
        per_subject=1000,
        longest=9000,
        tokens=(b"\r\n", b"\r", b"\n", b":", b" ", b"\t", b"HTTP/1.1", b"Host: ", b"\r\n ",
                b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"\0", b"GET ", b"/",
                b"Transfer-Encoding: chunked\r\n", b"Sec-WebSocket-Key: ", b"="),
    ),
    Target(
        name="commands",
        covers=("ticker.gateway.protocol.commands", "ticker.gateway.protocol.codec"),
        start=lambda: partial(read_command, JSON),
        seeds=lambda: list(COMMANDS),
        errors=(CommandError,),
        per_subject=1000,
        tokens=WORDS,
        vary=varied(lambda: COMMANDS),
    ),
    Target(
        name="commands-msgpack",
        covers=("ticker.gateway.protocol.codec",),
        start=lambda: partial(read_command, MSGPACK),
        seeds=lambda: [msgspec.msgpack.encode(command) for command in SENT],
        errors=(CommandError,),
        per_subject=1000,
        tokens=(b"\xa6action", b"\xa2id", b"\xc1", b"\x91", b"\xdf\xff\xff\xff\xff", b"\xcb"),
    ),
    Target(
        name="commands-protobuf",
        covers=("ticker.gateway.protocol.protobuf",),
        start=lambda: partial(read_command, PROTOBUF),
        seeds=lambda: [protobuf.encode_command(command) for command in SENT],
        errors=(CommandError,),
        per_subject=1000,
        tokens=(b"\x0a\x01", b"\x12\x00", b"\xff" * 9, b"\x80\x01", b"\x00", b"\x7a\x02"),
    ),
]  # fmt: skip
