"""The bytes of the C send loop: updates exactly as a client gets them in one flush."""

from __future__ import annotations

import time

from ticker.bench.rig.rig import Load
from ticker.bench.swarm.commands import ENCODINGS
from ticker.bench.swarm.publisher import price_at
from ticker.bench.swarm.symbols import symbol_names
from ticker.errors import BenchError
from ticker.gateway.hub.encode import encoded
from ticker.units import format_price, format_timestamp

CHANNELS = ("price", "quote", "trades")
ROOM = 120  # bytes of a pong's payload: a length of one byte (RFC 6455, 5.2)


def payload(size: int, load: Load) -> bytes:
    """Update frames as a client gets them in one flush, of `size` bytes together.

    Those of ticker.v1 are filled up with an unsolicited pong (RFC 6455, 5.5.3), which
    takes 2 bytes at least: a byte more may be made.
    """
    if load.encoding == "plain":
        return padded(size, load)
    now = time.time_ns() // 1000 * 1000
    made = b""
    for symbol in symbol_names(load.symbols)[: load.per_client]:
        frame = update(symbol, load, now)
        if len(made) + len(frame) > size:
            break
        made += frame
    if not made:
        raise BenchError(f"{size} bytes per flush are less than one update has")
    while len(made) < size:
        room = min(max(size - len(made) - 2, 0), ROOM)
        made += bytes((0x8A, room)) + b" " * room
    return made


def update(symbol: str, load: Load, now: int) -> bytes:
    """One frame of a trade at `now` (ns), as the gateway sends it."""
    return encoded(
        ENCODINGS.index(load.encoding),
        CHANNELS.index("price" if load.channel == "depth" else load.channel),
        False,
        symbol,
        venue="XNAS",
        price=price_at(now),
        time=now,
        seq=1000,
        size=100,
        volume=100_000,
        trades=1000,
        **dict.fromkeys(("open", "high", "low"), price_at(now)),
    )


def padded(size: int, load: Load) -> bytes:
    """The plain dialect's, filled up with spaces to `size` bytes.

    A frame of 128 or 129 bytes does not exist (RFC 6455, 5.2: the length takes two bytes or
    four): the first message then takes some of the spaces, or a lone one takes more of them.
    """
    now = time.time_ns()
    price, shown = format_price(price_at(now)), format_timestamp(now)
    messages = [
        f'{{"type":"update","symbol":"{symbol}","price":{price},"timestamp":"{shown}"}}'.encode()
        for symbol in symbol_names(load.symbols)[: load.per_client]
    ]
    while len(messages) > 1 and sum(len(_frame(each)) for each in messages) > size:
        messages.pop()
    for wanted, first in ((size + more, first) for more in range(3) for first in range(4)):
        frames = [_frame(_padded(each, first)) for each in messages[:1]] if messages[1:] else []
        frames += [_frame(each) for each in messages[1:-1]]
        for head in (2, 4):
            room = wanted - sum(map(len, frames)) - head - len(messages[-1])
            made = b"".join([*frames, _frame(_padded(messages[-1], room))])
            if len(made) == wanted:
                return made
    raise BenchError(f"{size} bytes per flush are less than one update has")


def _padded(message: bytes, spaces: int) -> bytes:
    return message[:-1] + b" " * spaces + b"}"


def _frame(message: bytes) -> bytes:
    if len(message) < 126:
        return bytes((0x81, len(message))) + message
    return b"\x81\x7e" + len(message).to_bytes(2, "big") + message
