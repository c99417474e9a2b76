"""A proxy before a nats-server that harms frames on their way to a bridge, or is cut off."""

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
    """Carries bytes between clients and a server; `harm` says what happens to deltas. Some come
    behind the next one of their shard, but before anything else that speaks of the shard.

    Attributes:
        pace: bytes a second that it carries to clients; 0: all that come.
        late: the deltas that have not come yet, by subject.
        made: how many of each kind of harm there were.
    """

    def __init__(self, port: int, seed: int = 1) -> None:
        self.target = port
        self.chance = random.Random(seed)
        self.harm = False
        self.pace = 0.0
        self.whole = True
        self.cuts = 0
        self.lost: list[socket.socket] = []
        self.late: dict[bytes, bytes] = {}
        self.made = dict.fromkeys(("dropped", "flipped", "doubled", "reordered", "garbage"), 0)
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
        for each in self.lost:
            each.close()

    def cut(self) -> None:
        """Nothing comes through any more, as if a cable were cut: no connection ends."""
        self.whole = False
        self.cuts += 1

    def join(self) -> None:
        """New connections come through. What was sent before waits on, as it does in TCP for as
        long as the cut was."""
        self.whole = True

    def _serve(self) -> None:
        self.listener.settimeout(0.02)
        them: list[threading.Thread] = []
        while not self.stopping.is_set():
            with suppress(TimeoutError):
                client, _ = self.listener.accept()
                if not self.whole:
                    self.lost.append(client)
                    continue
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
        cuts = self.cuts
        with client, server, selectors.DefaultSelector() as ready, suppress(OSError):
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while not self.stopping.is_set():
                for key, _ in ready.select(0.1):
                    if self.cuts != cuts:
                        self.stopping.wait()
                        return
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if key.fileobj is client:
                        server.sendall(data)
                    else:
                        client.sendall(self._harmed(reader, data))
                        if self.pace:
                            self.stopping.wait(len(data) / self.pace)

    def _harmed(self, reader: NatsReader, data: bytes) -> bytes:
        """What a server said, whole operations only, with harm done to it."""
        found: list[bytes] = []
        for kind, sid, text, payload, reply in reader.receive_data(data):
            if kind is not Kind.MESSAGE:
                found.append(CONTROL[kind] % text if kind in WITH_TEXT else CONTROL[kind])
            elif DELTA not in text or reply.startswith(LOG):
                found += [*self.late.values(), message(sid, text, payload, reply)]
                self.late.clear()
            elif text in self.late:
                found += [message(sid, text, payload), self.late.pop(text)]
                self.made["reordered"] += 1
            elif self.harm:
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
        if luck < 0.24:
            self.late[subject] = whole
            return []
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
