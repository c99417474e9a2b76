"""A network that loses and reorders, as a process of its own; run by test_loss.py.

`python lossy_network.py JSON` hears multicast lines and sends what it does not lose to unicast
ports, some of it late; it also carries requests, UDP or TCP, to their server and answers back. It
prints "ready" when it hears, and what it did when its input ends; "die" on its input ends the
requests, not the lines. Nothing is lost before a TCP server has said its first word. Beside what
each line loses by chance, every `both`-th packet is lost on all of them.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import socket
import sys
import time
from typing import Any

LOOPBACK = "127.0.0.1"
REORDERED = 0.02
IDLE = 0.05


class Line:
    """One line: what comes from its group goes to its port, unless it is lost."""

    def __init__(
        self, source: tuple[str, int], target: tuple[str, int], how: dict[str, Any], seed: int
    ):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(source)
        member = socket.inet_aton(source[0]) + socket.inet_aton(LOOPBACK)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.socket.setblocking(False)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.connect(target)
        self.chance = random.Random(seed)
        self.how = how
        self.late: list[tuple[int, bytes]] = []
        self.heard = self.lost = self.reordered = 0

    def turn(self) -> None:
        for _ in range(1000):
            try:
                packet = self.socket.recv(9216)
            except BlockingIOError:
                return
            self.heard += 1
            self.take(packet)
            if self.late:
                self.release(self.heard)

    def take(self, packet: bytes) -> None:
        if self.heard > self.how["whole"] and self.how["answered"]:
            by_both = self.how["both"] and self.heard % self.how["both"] == 0
            if by_both or self.chance.random() < self.how["loss"]:
                self.lost += 1
                return
            if self.chance.random() < REORDERED:
                self.reordered += 1
                self.late.append((self.heard + self.chance.randint(1, self.how["reorder"]), packet))
                return
        self.send(packet)

    def release(self, until: float) -> None:
        for late in [each for each in self.late if each[0] <= until]:
            self.late.remove(late)
            self.send(late[1])

    def send(self, packet: bytes) -> None:
        # An error would be of an earlier packet: nobody listened yet.
        with contextlib.suppress(ConnectionRefusedError):
            self.out.send(packet)


class Datagrams:
    """Requests of one client to a UDP server."""

    def __init__(self, port: int, server: tuple[str, int], how: dict[str, Any]) -> None:
        how["answered"] = True
        self.near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.near.bind((LOOPBACK, port))
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far.connect(server)
        self.client: tuple[str, int] | None = None
        for each in (self.near, self.far):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            each.setblocking(False)

    def sockets(self) -> list[socket.socket]:
        return [self.near, self.far]

    def turn(self) -> None:
        try:
            for _ in range(1000):
                request, self.client = self.near.recvfrom(64)
                self.far.send(request)
        except BlockingIOError:
            pass
        try:
            for _ in range(1000):
                answer = self.far.recv(9216)
                if self.client is not None:
                    self.near.sendto(answer, self.client)
        except (BlockingIOError, ConnectionRefusedError):
            pass


class Stream:
    """One TCP connection after the other to a server."""

    def __init__(self, port: int, server: tuple[str, int], how: dict[str, Any]) -> None:
        self.how = how
        self.listener = socket.create_server((LOOPBACK, port))
        self.server = server
        self.pair: list[socket.socket] = []

    def sockets(self) -> list[socket.socket]:
        return [self.listener, *self.pair]

    def turn(self) -> None:
        self.accept()
        for here, there in (self.pair, self.pair[::-1]) if self.pair else ():
            here.setblocking(False)
            try:
                data = here.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self.hang_up()
                return
            if here is self.pair[1]:
                self.how["answered"] = True
            there.setblocking(True)
            there.sendall(data)

    def accept(self) -> None:
        """A client waits, connected, until there is a server to talk to."""
        if not select.select([self.listener], [], [], 0)[0]:
            return
        try:
            far = socket.create_connection(self.server)
        except ConnectionRefusedError:
            time.sleep(0.01)
            return
        self.hang_up()
        near, _ = self.listener.accept()
        self.pair = [near, far]

    def hang_up(self) -> None:
        for each in self.pair:
            each.close()
        self.pair = []


def main(how: dict[str, Any]) -> None:
    lines = [
        Line(tuple(source), tuple(target), how, how["seed"] + number)
        for number, (source, target) in enumerate(how["lines"])
    ]
    requests: list[Datagrams | Stream] = []
    how["answered"] = not how["requests"]
    if how["requests"]:
        kind, port, server = how["requests"]
        requests.append((Stream if kind == "tcp" else Datagrams)(port, tuple(server), how))
    print("ready", flush=True)
    while True:
        watched = [sys.stdin, *(line.socket for line in lines)]
        watched += [each for request in requests for each in request.sockets()]
        readable, _, _ = select.select(watched, [], [], IDLE)
        for line in lines:
            line.turn()
            if not readable:
                line.release(float("inf"))
        for request in requests:
            request.turn()
        if sys.stdin in readable:
            word = sys.stdin.readline()
            if not word:
                break
            for each in [each for request in requests for each in request.sockets()]:
                each.close()
            requests.clear()
    names = ("heard", "lost", "reordered")
    print(json.dumps({name: [getattr(line, name) for line in lines] for name in names}))


main(json.loads(sys.argv[1]))
