"""A real gateway worker in its own process, fed by a real segment that the test writes."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.gateway.event_reader import EventReader, Read
from ticker import log
from ticker.config import Config, GatewayConfig
from ticker.gateway import worker
from ticker.gateway.context import GatewayContext
from ticker.gateway.rest.bars import BarSource
from ticker.shm import counters, segment
from ticker.shm.bars.published import BarsWriter
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_GATEWAY, KIND_STORE
from ticker.shm.ring import RingWriter
from ticker.shm.table import TableWriter

E9 = 1_000_000_000
TRADE, PRINT, QUOTE, CORRECTION = 1, 2, 3, 5
_instances = itertools.count()


@dataclass
class Rig:
    """One feed that the test publishes to, and one gateway worker that serves it."""

    name: str
    config: Config
    geometry: segment.Geometry = field(
        default_factory=lambda: segment.Geometry(64, 2, 1024, depth_rows=64)
    )
    reload: Callable[[], Config] | None = None  # called in the worker, at SIGHUP
    past: BarSource | None = None  # what the store keeps
    with_bars: bool = True  # a segment of bars in motion, which the test writes
    first: Callable[[], None] | None = None  # called in the worker, before all
    said: Path | None = None  # where the worker's log goes; None: to the test's standard error

    def __post_init__(self) -> None:
        self.boot_id = time.time_ns() & 0x7FFFFFFF
        now = time.time_ns()
        self.feed_name = segment.feed_name(self.name, "f")
        self.gateway_name = segment.gateway_name(self.name, 0)
        self.feed = segment.create_feed(self.feed_name, self.geometry, self.boot_id, now)
        self.own = segment.create_worker(self.gateway_name, KIND_GATEWAY, self.boot_id, now)
        self.store = segment.store_name(self.name) if self.past is not None else None
        if self.store is not None:
            segment.create_worker(self.store, KIND_STORE, self.boot_id, now)
        self.bars = segment.bars_name(self.name) if self.with_bars else None
        if self.bars is not None:
            self.bar_writer = BarsWriter(segment.create_bars(self.bars, 64, self.boot_id, now))
        self.doorbell = os.eventfd(0, os.EFD_NONBLOCK)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.table = TableWriter(self.feed)
        self.rings = [RingWriter(self.feed, ring) for ring in range(self.geometry.rings)]
        self.seq: dict[int, int] = {}
        self.heartbeat = Heartbeat(self.feed)
        self.heartbeat.take_over(os.getpid(), now)
        self.heartbeat.set_state(counters.LIVE)
        self.ringer = DoorbellRinger(
            [(segment.attach(self.gateway_name, KIND_GATEWAY), self.doorbell)]
        )
        self.counters = Counters(self.own)
        self.own_heartbeat = Heartbeat(self.own)
        self.pid = self._fork()

    def _fork(self) -> int:
        context = GatewayContext(
            0,
            self.gateway_name,
            self.boot_id,
            (("f", self.feed_name),),
            self.listener,
            self.doorbell,
            gateways=(self.gateway_name,),
            store=self.store,
            past=self.past,
            bars=self.bars,
            reload=self.reload,
        )
        epoch = self.own_heartbeat.epoch
        pid = os.fork()
        if pid:
            wait_for(lambda: self.own_heartbeat.epoch > epoch)
            return pid
        code = 1
        try:
            if self.said is not None:
                sys.stderr = self.said.open("a", buffering=1)
            log.configure("json")
            if self.first is not None:
                self.first()
            worker.run(self.config, context)
            code = 0
        finally:
            os._exit(code)

    def restart(self) -> None:
        """Kill the worker the hard way and fork its replacement."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = self._fork()

    def row(self, symbol: str) -> int:
        return self.table.add(symbol, "XNAS")

    def trade(self, row: int, price: int, *, time_ns: int = 0, ring: bool = True) -> int:
        """Publish a trade as a feed worker does: row, ring, doorbell; its exchange time."""
        now = time_ns or time.time_ns()
        seq = self.seq[row] = self.seq.get(row, 0) + 1
        self.table.put(
            row,
            price=price,
            size=100,
            exchange_time=now,
            receive_time=now,
            publish_time=now,
            seq=seq,
        )
        if ring:
            self.record(row, TRADE, price, now, seq)
        return now

    def trade_until(self, rows: list[int], counter: str, price: int = 1) -> int:
        """Trade all rows, each time a dollar higher than `price`, until a counter of the gateway
        is no longer 0; the last price, in dollars."""
        end = time.monotonic() + 20
        while not self.counters[counter]:
            assert time.monotonic() < end
            price += 1
            for row in rows:
                self.trade(row, price * E9)
            time.sleep(0.01)
        return price

    def quote(self, row: int, **values: int) -> None:
        """Publish a quote as a feed worker does."""
        now = time.time_ns()
        self.table.put(row, quote_time=now, publish_time=now, **values)
        self.record(row, QUOTE, 0, now, self.seq.get(row, 0))

    def bar(self, number: int, span: int, **words: int) -> None:
        """Publish a bar in motion as the store worker does: segment, doorbell."""
        self.bar_writer.put(number, span, **words)
        self.ringer.ring_from_python()

    def record(self, row: int, kind: int, price: int, now: int, seq: int) -> None:
        ring = self.rings[row % len(self.rings)]
        ring.put(row, kind, price, 100, now, now, now, seq)
        self.heartbeat.beat(time.time_ns())
        self.ringer.ring_from_python()

    def close(self) -> int:
        """SIGTERM; the worker's exit status."""
        os.kill(self.pid, signal.SIGTERM)
        _, status = os.waitpid(self.pid, 0)
        self.listener.close()
        os.close(self.doorbell)
        for name in (self.feed_name, self.gateway_name, self.store, self.bars):
            if name is not None:
                segment.remove(name)
        return status


def new_rig(
    config: Config,
    said: Path | None = None,
    *,
    with_bars: bool = True,
    first: Callable[[], None] | None = None,
) -> Rig:
    """A rig that no other test of this process has; close it."""
    name = f"t{os.getpid()}-{next(_instances)}"
    return Rig(name, config, said=said, with_bars=with_bars, first=first)


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A rig with the default configuration, with GatewayConfig(**param), or with a Config."""
    options = getattr(request, "param", {})
    if isinstance(options, Config):
        config = options
    else:
        config = Config(gateway=GatewayConfig(**{"max_connections": 512, **options}))
    made = new_rig(config)
    yield made
    assert made.close() == 0


class Client:
    """A WebSocket client on a bare socket: every byte is the test's own."""

    def __init__(
        self,
        port: int,
        *,
        handshake: bool = True,
        receive_buffer: int = 65536,
        headers: tuple[str, ...] = (),
        protocol: str = "",
        first: bytes = b"",
        tls: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.buffer = b""
        self.head = b""
        self.protocol = protocol
        if protocol:
            headers = (*headers, f"Sec-WebSocket-Protocol: {protocol}")
        try:
            self.socket.bind((source, 0))
            self.socket.connect(("127.0.0.1", port))
            self.socket.sendall(first)
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
            if handshake:
                self.socket.sendall(self.request(*headers))
                self.head = self.read_until(b"\r\n\r\n")
        except BaseException:
            self.socket.close()
            raise

    @staticmethod
    def request(*extra: str, key: str = "dGhlIHNhbXBsZSBub25jZQ==") -> bytes:
        lines = [
            "GET /stream HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *extra,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError(self.buffer)
            self.buffer += got
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def read(self, length: int) -> bytes:
        while len(self.buffer) < length:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError(self.buffer)
            self.buffer += got
        found, self.buffer = self.buffer[:length], self.buffer[length:]
        return found

    @staticmethod
    def frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
        size = len(payload)
        head = bytes([fin << 7 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
        mask = b"\x12\x34\x56\x78"
        return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))

    def send(self, message: object) -> None:
        self.socket.sendall(self.frame(msgspec.json.encode(message)))

    def receive_frame(self) -> tuple[int, bytes]:
        first, size = self.read(2)
        assert not size & 0x80, "a server's frame is not masked"
        if size == 126:
            size = int.from_bytes(self.read(2), "big")
        elif size == 127:
            size = int.from_bytes(self.read(8), "big")
        assert first & 0x80
        return first & 0x0F, self.read(size)

    def receive(self) -> Any:
        """The next message as JSON or MessagePack has it, or as the bytes of Protobuf."""
        while True:
            opcode, payload = self.receive_frame()
            if opcode == 1:
                return msgspec.json.decode(payload)
            if opcode == 2 and "msgpack" in self.protocol:
                return msgspec.msgpack.decode(payload)
            if opcode == 2:
                return payload
            assert opcode == 9, (opcode, payload)

    def until(self, kind: str) -> Any:
        """The next message of a type; others before it are skipped."""
        while (message := self.receive())["type"] != kind:
            pass
        return message

    def receive_close(self) -> int:
        """The close code that the server sends next; text before it is skipped."""
        while True:
            opcode, payload = self.receive_frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big")

    def quiet(self, seconds: float) -> bool:
        """Nothing comes within `seconds`."""
        self.socket.settimeout(seconds)
        try:
            with contextlib.suppress(TimeoutError):
                return not self.buffer and self.socket.recv(1, socket.MSG_PEEK) is None
            return True
        finally:
            self.socket.settimeout(10)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def connect(rig: Rig) -> Iterator[Callable[..., Client]]:
    """connect() -> Client of the rig's gateway; all are closed at the end."""
    clients: list[Client] = []

    def make(**options: Any) -> Client:
        clients.append(Client(rig.port, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def read(rig: Any) -> Iterator[Read]:
    """read(path, *headers) -> EventReader of the rig's gateway; all are closed at the end."""
    readers: list[EventReader] = []

    def make(path: str, *headers: str, **options: Any) -> EventReader:
        readers.append(EventReader(rig.port, path, *headers, **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@pytest.fixture
def client_type() -> type[Client]:
    return Client


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Return as soon as `condition()` holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.fixture(name="wait_for")
def wait_for_fixture() -> Callable[..., None]:
    return wait_for
