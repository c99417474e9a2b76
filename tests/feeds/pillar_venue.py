"""A venue of Pillar for tests: channels on two lines each, a request server, and its answers."""

from __future__ import annotations

import json
import selectors
import socket
import time

from tests.feeds.images.streams import DAY, Pillar, days
from tests.feeds.sessions.xdp_messages import HEARTBEAT, RETRANSMITTED, packet
from tests.feeds.worker_process import LOOPBACK
from ticker.bench.rig.ports import free_port
from ticker.feeds.pillar.requests import (
    HEADER,
    REQUEST,
    RESPONSE,
    TYPE_HEARTBEAT_RESPONSE,
    TYPE_REQUEST,
)
from ticker.feeds.pillar.requests import packet as alone

NUMBERS = (11, 12, 13)
"""The venue's numbers of its channels."""
PRODUCT = 5
SOURCE = b"TICKER"
MOST = 50
"""Messages of one request, at most."""


class Venue:
    """Driven by the test: `send` speaks, `turn` beats and answers."""

    def __init__(self) -> None:
        self.kind = Pillar()
        self.day = days(self.kind)
        self.reached = dict.fromkeys(self.kind.streams, 0)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.lines = [[(LOOPBACK, free_port()) for _ in range(2)] for _ in self.kind.streams]
        self.gap_lines = [(LOOPBACK, free_port()) for _ in self.kind.streams]
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server((LOOPBACK, 0))
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.held: dict[socket.socket, bytes] = {}
        self.requests = 0
        self.answered = 0
        self.heartbeats = 0
        self.next_beat = 0.0

    def toml(self, more: str = "") -> str:
        first, *others = [[f"{host}:{port}" for host, port in pair] for pair in self.lines]
        gaps = [f"{host}:{port}" for host, port in self.gap_lines]
        server = "{}:{}".format(*self.listener.getsockname())
        return (
            f'[[feeds]]\nname = "sim"\nvenue = "XNYS"\nprotocol = "pillar"\n{more}\n'
            f'calendar = "none"\ndate = "{DAY}"\nheartbeat = 0.1\n'
            f"lines = {json.dumps(first)}\n[feeds.pillar]\n"
            f'more_lines = {json.dumps(others)}\nrequest_server = "{server}"\n'
            f'gap_lines = {json.dumps(gaps)}\nsource = "{SOURCE.decode()}"\n'
            f"product = {PRODUCT}\nchannels = {list(NUMBERS)}\n"
        )

    def send(self, number: int) -> None:
        """The next messages of each channel, on both lines."""
        for at in range(0, number, 10):
            for channel in self.kind.streams:
                first = self.reached[channel] + 1
                data = self.packet(channel, first, min(10, number - at))
                for line in self.lines[channel]:
                    self.out.sendto(data, line)
                self.reached[channel] += min(10, number - at)

    def go_on(self) -> None:
        """Some more messages, and a turn."""
        self.send(10)
        self.turn()

    def packet(self, channel: int, first: int, number: int, flag: int = 11) -> bytes:
        messages = self.day[channel][first - 1 : first - 1 + number]
        return packet(first, *messages, flag=flag, sent=time.time_ns())

    def turn(self) -> None:
        """Heartbeats on all lines and connections, and answers."""
        if time.monotonic() >= self.next_beat:
            self.next_beat = time.monotonic() + 0.02
            for channel in self.kind.streams:
                beat = packet(self.reached[channel] + 1, flag=HEARTBEAT, sent=time.time_ns())
                for line in self.lines[channel]:
                    self.out.sendto(beat, line)
            for connection in self.held:
                connection.sendall(alone(b"", flag=HEARTBEAT))
        for key, _ in self.selector.select(0):
            if key.fileobj is self.listener:
                accepted, _ = self.listener.accept()
                self.held[accepted] = b""
                self.selector.register(accepted, selectors.EVENT_READ)
            else:
                assert isinstance(key.fileobj, socket.socket)
                self.read(key.fileobj)

    def read(self, connection: socket.socket) -> None:
        data = connection.recv(65_536)
        if not data:
            self.selector.unregister(connection)
            connection.close()
            del self.held[connection]
            return
        held = self.held[connection] + data
        while len(held) >= HEADER.size and len(held) >= HEADER.unpack_from(held)[0]:
            size, _, count, number, _, _ = HEADER.unpack_from(held)
            message, held = held[HEADER.size : size], held[size:]
            kind = int.from_bytes(message[2:4], "little")
            self.heartbeats += kind == TYPE_HEARTBEAT_RESPONSE
            if count and kind == TYPE_REQUEST:
                self.answer(connection, number, message)
        self.held[connection] = held

    def answer(self, connection: socket.socket, number: int, message: bytes) -> None:
        _, _, begin, end, source, product, channel = REQUEST.unpack(message)
        self.requests += 1
        status = b"0"
        if (source.rstrip(b"\0"), product) != (SOURCE, PRODUCT):
            status = b"1"
        elif end - begin + 1 > MOST:
            status = b"3"
        response = RESPONSE.pack(29, 11, number, begin, end, source, product, channel, status)
        connection.sendall(alone(response))
        if status != b"0":
            return
        own = NUMBERS.index(channel)
        self.answered += end - begin + 1
        for first in range(begin, end + 1, 10):
            data = self.packet(own, first, min(10, end + 1 - first), RETRANSMITTED)
            self.out.sendto(data, self.gap_lines[own])

    def close(self) -> None:
        for connection in self.held:
            connection.close()
        self.listener.close()
        self.selector.close()
        self.out.close()
