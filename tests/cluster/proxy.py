"""A proxy before a nats-server that harms frames on their way to a bridge."""

from __future__ import annotations

import random
import selectors
import socket
import threading
from contextlib import suppress

from ticker.cluster.natswire import Kind, NatsReader

DELTA = b".t."
LOG = b"$JS."
"""Begins the subject for an answer to a frame that the log gives."""


class Proxy:
    """Carries bytes between clients and a server; `harm` says what happens to deltas. With `swap`
    some of them come behind the next one of their shard.

    Attributes:
        swapped: how many did.
        late: those that have not come yet, by subject.
        made: how many of each kind of harm there were.
    """

    def __init__(self, port: int, seed: int = 1) -> None:
        self.target = port
        self.chance = random.Random(seed)
        self.harm = self.swap = False
        self.swapped = 0
        self.late: dict[bytes, bytes] = {}
        self.made = {"dropped": 0, "flipped": 0, "doubled": 0, "garbage": 0}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self.listener.getsockname()[1]}"
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def kill(self) -> None:
        self.stopping.set()
        self.thread.join()
        self.listener.close()

    def _serve(self) -> None:
        self.listener.settimeout(0.1)
        them: list[threading.Thread] = []
        while not self.stopping.is_set():
            with suppress(TimeoutError):
                client, _ = self.listener.accept()
                them.append(threading.Thread(target=self._carry, args=(client,), daemon=True))
                them[-1].start()
        for each in them:
            each.join()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target), 1)
        except OSError:
            client.close()
            return
        reader = NatsReader()
        with client, server, selectors.DefaultSelector() as ready, suppress(OSError):
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while not self.stopping.is_set():
                for key, _ in ready.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if key.fileobj is client:
                        server.sendall(data)
                    else:
                        client.sendall(self._harmed(reader, data))

    def _harmed(self, reader: NatsReader, data: bytes) -> bytes:
        """What a server said, whole operations only, with harm done to it."""
        found: list[bytes] = []
        for kind, sid, text, payload, reply in reader.receive_data(data):
            if kind is not Kind.MESSAGE:
                found.append(CONTROL[kind] % text if kind in WITH_TEXT else CONTROL[kind])
            elif text in self.late:
                found += [message(sid, text, payload), self.late.pop(text)]
                self.swapped += 1
            elif self.swap and DELTA in text and not reply and self.chance.random() < 0.2:
                self.late[text] = message(sid, text, payload)
            elif self.harm and DELTA in text and not reply.startswith(LOG):
                found += self._fate(sid, text, payload)
            else:
                found.append(message(sid, text, payload, reply))
        return b"".join(found)

    def _fate(self, sid: int, subject: bytes, payload: bytes) -> list[bytes]:
        """One fate for each frame, so that it is known what was lost."""
        luck = self.chance.random()
        whole = message(sid, subject, payload)
        if luck < 0.03:
            self.made["dropped"] += 1
            return []
        if luck < 0.06:
            self.made["flipped"] += 1
            flipped = bytearray(payload)
            flipped[self.chance.randrange(len(payload))] ^= 1 << self.chance.randrange(8)
            return [message(sid, subject, bytes(flipped))]
        if luck < 0.10:
            self.made["doubled"] += 1
            return [whole, whole]
        if luck < 0.12:
            self.made["garbage"] += 1
            noise = self.chance.randbytes(self.chance.randrange(400))
            return [message(sid, subject, noise), whole]
        return [whole]


WITH_TEXT = frozenset({Kind.INFO, Kind.ERROR})
CONTROL = {
    Kind.INFO: b"INFO %b\r\n",
    Kind.ERROR: b"-ERR '%b'\r\n",
    Kind.PING: b"PING\r\n",
    Kind.PONG: b"PONG\r\n",
    Kind.OK: b"+OK\r\n",
}


def message(sid: int, subject: bytes, payload: bytes, reply: bytes = b"") -> bytes:
    words = b" ".join([subject, b"%d" % sid, *([reply] if reply else []), b"%d" % len(payload)])
    return b"MSG %b\r\n%b\r\n" % (words, payload)
