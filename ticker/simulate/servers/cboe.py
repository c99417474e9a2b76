"""The TCP side of a simulated Cboe feed: a gap request proxy, and a spin server for each unit.

Every connection logs in first; a client that is silent for ten seconds is dropped, one that has
sent nothing sensible at once. Replays go out on the gap line, images on their connection.
Source: Cboe US Equities Multicast PITCH 2.41.
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field

from ticker.errors import FeedError
from ticker.feeds.cboe.frames import (
    GAP_REQUEST,
    GAP_RESPONSE,
    LOGIN,
    LOGIN_RESPONSE,
    SPIN,
    SPIN_RESPONSE,
    TYPE_GAP_REQUEST,
    TYPE_GAP_RESPONSE,
    TYPE_LOGIN,
    TYPE_LOGIN_RESPONSE,
    TYPE_SPIN_FINISHED,
    TYPE_SPIN_IMAGE_AVAILABLE,
    TYPE_SPIN_REQUEST,
    TYPE_SPIN_RESPONSE,
    FrameReader,
    frame,
    frames,
)
from ticker.simulate.speakers.cboe import CboeSender

Address = tuple[str, int]

PROXY = 0
"""In the place of a unit: the gap request proxy."""
HEARTBEAT = 1.0
SILENCE = 10.0
MOST_OUTBOUND = 256 << 20
"""Bytes that wait for one client; with more it is dropped."""


@dataclass(frozen=True, kw_only=True)
class ProxyLimits:
    """The limits of a connection to the proxy; quotas are messages."""

    most_count: int = 100
    per_second: int = 1 << 40
    per_minute: int = 1 << 40
    per_day: int = 1 << 40
    account: tuple[str, str] | None = None
    """Username and password; None: everybody's are good."""


@dataclass(eq=False)
class Connection:
    """One client."""

    socket: socket.socket
    unit: int
    heard: float
    sent: float
    reader: FrameReader = field(default_factory=FrameReader)
    outbound: bytearray = field(default_factory=bytearray)
    logged_in: bool = False
    closing: bool = False
    spun: dict[int, bytes] = field(default_factory=dict)
    """Images that it was told of, by sequence: framed."""
    asked: list[tuple[float, int]] = field(default_factory=list)
    """When it asked for how many messages."""


class Servers:
    """Listens, and serves all connections whenever `serve` is called.

    Raises:
        FeedError: an address cannot be listened on.
    """

    def __init__(
        self, gap_proxy: Address | None, spin: tuple[Address, ...], limits: ProxyLimits
    ) -> None:
        self.limits = limits
        self.sender: CboeSender | None = None
        self.refused = 0
        self.requests = 0
        self.images = 0
        self._selector = selectors.EpollSelector()
        self._connections: list[Connection] = []
        self._listeners: list[tuple[int, socket.socket]] = []
        self._next_images = 0.0
        addresses = [(PROXY, gap_proxy)] if gap_proxy else []
        try:
            for unit, address in addresses + list(enumerate(spin, 1)):
                self._listen(unit, address)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Can be read when `serve` has something to do."""
        return self._selector.fileno()

    def address(self, unit: int) -> Address | None:
        """Where the proxy (unit 0) or a unit's spin server really listens."""
        for number, listener in self._listeners:
            if number == unit:
                found: Address = listener.getsockname()
                return found
        return None

    def close(self) -> None:
        for connection in self._connections:
            connection.socket.close()
        for _, listener in self._listeners:
            listener.close()
        self._selector.close()

    def serve(self) -> None:
        """Accept, answer, send, and do everything that is due; never waits."""
        now = time.monotonic()
        for key, events in self._selector.select(0):
            if isinstance(key.data, Connection):
                if events & selectors.EVENT_READ:
                    self._read(key.data, now)
                self._flush(key.data)
            else:
                self._accept(key.data, key.fileobj, now)
        if now >= self._next_images:
            self._next_images = now + HEARTBEAT
            self._announce_images()
        for connection in self._connections[:]:
            self._keep(connection, now)

    # Connections

    def _listen(self, unit: int, address: Address) -> None:
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            name = f"spin server of unit {unit}" if unit else "gap proxy"
            raise FeedError(
                f"{name} {address[0]}:{address[1]}: {error}; stop what uses the port, or give "
                "another"
            ) from None
        self._listeners.append((unit, listener))
        self._selector.register(listener, selectors.EVENT_READ, unit)

    def _accept(self, unit: int, listener: object, now: float) -> None:
        assert isinstance(listener, socket.socket)
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(accepted, unit, now, now)
        self._connections.append(connection)
        self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _read(self, connection: Connection, now: float) -> None:
        try:
            data = connection.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.heard = now
        try:
            for messages in connection.reader.receive_data(data):
                for message in messages:
                    self._take(connection, message, now)
        except FeedError:
            connection.closing = True

    def _say(self, connection: Connection, data: bytes) -> None:
        connection.outbound += data
        connection.sent = time.monotonic()
        if len(connection.outbound) > MOST_OUTBOUND:
            connection.closing = True

    def _flush(self, connection: Connection) -> None:
        if connection.socket.fileno() < 0:
            return
        try:
            while connection.outbound:
                del connection.outbound[: connection.socket.send(connection.outbound)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        writes = selectors.EVENT_WRITE if connection.outbound else 0
        self._selector.modify(connection.socket, selectors.EVENT_READ | writes, connection)

    def _keep(self, connection: Connection, now: float) -> None:
        """Heartbeats of ours, and an end to who has none."""
        if connection.logged_in and now - connection.sent >= HEARTBEAT:
            self._say(connection, frame())
        self._flush(connection)
        silent = now - connection.heard > SILENCE
        if silent or (connection.closing and not connection.outbound):
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()

    # What they say

    def _take(self, connection: Connection, message: bytes, now: float) -> None:
        kind, length = message[1], len(message)
        if kind == TYPE_LOGIN and length >= LOGIN.size and not connection.logged_in:
            self._log_in(connection, message)
        elif not connection.logged_in:
            raise FeedError("not logged in")
        elif kind == TYPE_GAP_REQUEST and length >= GAP_REQUEST.size and connection.unit == PROXY:
            _, _, unit, sequence, count = GAP_REQUEST.unpack_from(message)
            self._replay(connection, unit, sequence, count, now)
        elif kind == TYPE_SPIN_REQUEST and length >= SPIN.size and connection.unit != PROXY:
            self._spin(connection, SPIN.unpack_from(message)[2])
        else:
            raise FeedError(f"message of type {kind:#x}")

    def _log_in(self, connection: Connection, message: bytes) -> None:
        _, _, _, username, _, password = LOGIN.unpack_from(message)
        said = (username.decode("latin-1").rstrip(), password.decode("latin-1").rstrip())
        good = self.limits.account is None or said == self.limits.account
        status = b"A" if good else b"N"
        self._say(connection, frame(LOGIN_RESPONSE.pack(3, TYPE_LOGIN_RESPONSE, status)))
        connection.logged_in = good
        connection.closing = not good

    def _replay(
        self, connection: Connection, unit: int, sequence: int, count: int, now: float
    ) -> None:
        self.requests += 1
        status = self._judge(connection, unit, sequence, count, now)
        if status == b"A" and self.sender is not None:
            connection.asked.append((now, count))
            self.sender.replay(unit, sequence, count)
        else:
            self.refused += 1
        answer = GAP_RESPONSE.pack(10, TYPE_GAP_RESPONSE, unit, sequence, count, status)
        self._say(connection, frame(answer))

    def _judge(
        self, connection: Connection, unit: int, sequence: int, count: int, now: float
    ) -> bytes:
        """The status of a gap response."""
        if self.sender is None or not 1 <= unit <= self.sender.unit_count:
            return b"I"
        if not 0 < count <= self.limits.most_count:
            return b"C"
        if not self.sender.retained(unit, sequence, count):
            return b"O"
        quotas = (
            (b"S", 1.0, self.limits.per_second),
            (b"M", 60.0, self.limits.per_minute),
            (b"D", 86_400.0, self.limits.per_day),
        )
        for status, seconds, quota in quotas:
            used = sum(asked for when, asked in connection.asked if now - when < seconds)
            if used + count > quota:
                return status
        return b"A"

    def _announce_images(self) -> None:
        """Tell who is logged in to a unit's spin server of an image, which is as of now."""
        images: dict[int, tuple[int, bytes]] = {}
        for connection in self._connections:
            unit = connection.unit
            if not connection.logged_in or unit == PROXY or self.sender is None:
                continue
            if unit not in images:
                images[unit] = spin_image(self.sender, unit)
            sequence, image = images[unit]
            connection.spun = {**dict(list(connection.spun.items())[-1:]), sequence: image}
            available = SPIN.pack(6, TYPE_SPIN_IMAGE_AVAILABLE, sequence)
            self._say(connection, frame(available))

    def _spin(self, connection: Connection, sequence: int) -> None:
        image = connection.spun.get(sequence)
        if image is None:
            refusal = SPIN_RESPONSE.pack(11, TYPE_SPIN_RESPONSE, sequence, 0, b"O")
            self._say(connection, frame(refusal))
            return
        self.images += 1
        self._say(connection, image)


def spin_image(sender: CboeSender, unit: int) -> tuple[int, bytes]:
    """Sequence of an image, and all that answers a request for it, framed."""
    sequence, messages = sender.image(unit)
    orders = sum(message[1] in (0x21, 0x22, 0x2F) for message in messages)
    response = SPIN_RESPONSE.pack(11, TYPE_SPIN_RESPONSE, sequence, orders, b"A")
    finished = SPIN.pack(6, TYPE_SPIN_FINISHED, sequence)
    return sequence, frame(response) + frames([*messages, finished])
