"""One client of a crowd: what it asks for, what it is told, and what it holds against a server.

Law: no socket and no clock. A price may not go back in time, not even over a reconnect; it
belongs to its time (ticker/bench/swarm/synthetic.pxd); a snapshot comes before the first update,
and before any update of a symbol that has moved on while the client was away; a trade that does not
follow the last one is a hole that `lagged` has said.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

PLAIN, JSON, MSGPACK = "", "ticker.v1.json", "ticker.v1.msgpack"
MASK = b"\x12\x34\x56\x78"


class Said(msgspec.Struct):
    """A message of the server: the fields that are looked at."""

    type: str
    symbol: str = ""
    price: float | str = 0.0
    timestamp: str | int = 0
    seq: int = -1
    skipped: int = 0
    code: int = 0
    retry_after: float = 0.0


_json = msgspec.json.Decoder(Said)
_msgpack = msgspec.msgpack.Decoder(Said)
_seconds: dict[str, int] = {}


def micros(timestamp: str | int) -> int:
    """A timestamp of any encoding in microseconds."""
    if isinstance(timestamp, int):
        return timestamp
    second = _seconds.get(timestamp[:19])
    if second is None:
        parts = [
            int(part) for part in timestamp[:19].replace("T", "-").replace(":", "-").split("-")
        ]
        second = _seconds[timestamp[:19]] = calendar.timegm((*parts, 0, 0, 0)) * 1_000_000
    return second + int(timestamp[20:26])


def stamp(encoding: str, time: int) -> str | int:
    """Microseconds as `last_seen` has them in an encoding."""
    if encoding == MSGPACK:
        return time
    seconds, rest = divmod(time, 1_000_000)
    parts = datetime.fromtimestamp(seconds, UTC)
    return f"{parts:%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def price_belongs(price: float | str, time: int) -> bool:
    """Whether a price is that of a synthetic trade at a time (us)."""
    cents = 10_000 + time % 90_000
    return float(price) == cents / 100


@dataclass
class Last:
    """The newest of a symbol: `time` in us, `seq` -1 in the plain dialect."""

    time: int = 0
    seq: int = -1
    price: float | str = 0.0


@dataclass(eq=False)
class Watcher:
    """`owed`: for each symbol of which nothing has come on this connection, the time (us) that the
    table had when it was subscribed."""

    number: int
    symbols: list[str]
    encoding: str = JSON
    channel: str = "price"
    max_rate: float = 0.0  # flushes a second, 0: the server's
    pace: str = ""  # that it asks for, "": none
    last: dict[str, Last] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)
    lagged: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None  # a goodbye has come
    close_code: int = 0
    ready: bool = False  # subscribed on this connection, as far as that is told
    violations: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    merged: int = 0  # trades that conflation left out, by seq

    def request(self) -> bytes:
        """The handshake."""
        offer = f"Sec-WebSocket-Protocol: {self.encoding}\r\n" if self.encoding else ""
        return (
            "GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Version: 13\r\n{offer}\r\n"
        ).encode()

    def command(self, now: dict[str, int]) -> bytes:
        """Subscribe, or come back; `now` has each symbol's time (us) by the table."""
        self.owed = {symbol: now[symbol] for symbol in self.symbols}
        self.lagged.clear()
        self.retry_after, self.ready = None, False
        self.close_code = 0
        if not self.last:
            message: dict[str, Any] = {"action": "subscribe", "symbols": self.symbols}
        else:
            seen = {
                symbol: stamp(self.encoding, self.last[symbol].time) if symbol in self.last else ""
                for symbol in self.symbols
            }
            message = {"action": "reconnect", "last_seen": seen}
        message["channel"] = self.channel
        return self._framed(message)

    def settings(self) -> bytes:
        """The command that sets rate and pace, if they are not the server's."""
        wanted = {"max_rate": self.max_rate, "pace": self.pace}
        fields = {name: value for name, value in wanted.items() if value}
        return self._framed({"action": "configure", **fields}) if fields else b""

    def _framed(self, message: dict[str, Any]) -> bytes:
        if self.encoding == MSGPACK:
            return frame(msgspec.msgpack.encode(message), 2)
        return frame(msgspec.json.encode(message), 1)

    def take(self, opcode: int, payload: bytes) -> bytes:
        """One frame; what is to be answered."""
        if opcode <= 2:
            self._hear((_msgpack if opcode == 2 else _json).decode(payload))
        elif opcode == 9:
            return frame(payload, 10)
        elif opcode == 8:
            self.close_code = int.from_bytes(payload[:2], "big")
            return frame(payload, 8)
        return b""

    def _hear(self, said: Said) -> None:
        kind = said.type
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind in ("update", "snapshot"):
            self._price(said)
        elif kind == "lagged":
            self.lagged[said.symbol] = self.lagged.get(said.symbol, 0) + said.skipped
        elif kind == "goodbye":
            self.retry_after = said.retry_after
        elif kind in ("subscribed", "recovered"):
            self.ready = True
        elif kind == "error":
            self._object(f"error {said.code}")

    def _price(self, said: Said) -> None:
        time = micros(said.timestamp)
        last = self.last.get(said.symbol)
        owed = self.owed.pop(said.symbol, None)
        if not price_belongs(said.price, time):
            self._object(f"{said.symbol}: {said.price} is not the price of {said.timestamp}")
        if last is None:
            last = self.last[said.symbol] = Last()
            if said.type == "update":
                self._object(f"{said.symbol}: an update before the snapshot")
        elif time < last.time or 0 <= said.seq < last.seq:
            self._object(f"{said.symbol}: back from {last} to {said}")
        elif owed is not None and said.type == "update" and last.time < owed:
            self._object(f"{said.symbol}: a hole from {last.time} to {owed}, then {said}")
        elif said.type == "update":
            self._follow(said, last)
        self.ready = self.ready or not self.encoding
        last.time, last.seq, last.price = time, said.seq, said.price

    def _follow(self, said: Said, last: Last) -> None:
        """An update after another one: what lies between, if anything, was merged or said."""
        between = said.seq - last.seq - 1
        if self.channel == "trades":
            skipped = self.lagged.pop(said.symbol, 0)
            if between != skipped:
                self._object(f"{said.symbol}: {between} trades missing, {skipped} said: {said}")
        elif said.seq >= 0:
            self.merged += between
            if between < 0:
                self._object(f"{said.symbol}: seq {said.seq} twice")

    def behind(self, now: dict[str, tuple[int, float]]) -> list[str]:
        """The symbols of which it has not the newest (time in us, price)."""
        found = []
        for symbol in self.symbols:
            last = self.last.get(symbol, Last())
            if (last.time, float(last.price)) != now[symbol]:
                found.append(symbol)
        return found

    def _object(self, what: str) -> None:
        self.violations.append(f"client {self.number} ({self.encoding or 'plain'}): {what}")


def frame(payload: bytes, opcode: int) -> bytes:
    """A masked frame of less than 64 KiB."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | min(size, 126)))
    if size > 125:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    mask = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + MASK + masked.to_bytes(size, "big")


def next_frame(data: bytes | bytearray, at: int) -> tuple[int, int, int] | None:
    """(opcode, start, end of the payload) of the whole frame at `at`; None: not there yet."""
    left = len(data) - at
    if left < 2:
        return None
    size, head = data[at + 1], 2
    if size == 126:
        size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
    elif size == 127:
        size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
    if left < head + size:
        return None
    return data[at] & 0x0F, at + head, at + head + size
