"""A simulated exchange on TCP: one market, sent in SoupBinTCP to every client that logs in.

Each start is a session of its own; at midnight in New York it ends and the next one starts.
The exchange waits for a client that does not read: its messages stay in the history. They are
counted as lost for it (it sees a gap) only when the history no longer has them.
"""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import timedelta
from typing import cast

import structlog

from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns, session_day
from ticker.simulate.exchange import Address, Settings, session_id, visit_round
from ticker.simulate.lines.history import History
from ticker.simulate.speakers.itch import ItchMarket

log = structlog.get_logger()

TURN = 0.005
"""s between two looks at what is due."""
HEARTBEAT = 1.0
BATCH = 20_000
"""Messages that a turn makes, or sends to one client, at most."""
UNSENT = 4 << 20
"""Bytes that may wait for a client before it is left until it has read."""
LOGIN_BYTES = 49
BUFFER = 1 << 20


class SoupExchange:
    """The server. `settings.lines[0]` is where it listens; `username` and `password`, if any, are
    asked of clients."""

    def __init__(self, settings: Settings, username: str = "", password: str = "") -> None:
        self.settings = settings
        self.credentials = (username, password)
        self.clients: set[SoupClient] = set()
        self.logins = 0
        self._open_session()

    def _open_session(self) -> None:
        settings, now = self.settings, time.time_ns()
        today = session_day(now)
        self.midnight = midnight_ns(today)
        self.next_midnight = midnight_ns(today + timedelta(days=1))
        self.session = session_id(now)
        self.history = History(settings.history)
        self.market = ItchMarket(
            settings.symbols,
            settings.seed,
            rate=settings.rate,
            start=now - self.midnight,
            visit_round=visit_round(settings.history, settings.rate),
        )
        self.next_sequence = 1
        self.opened_ns = now
        self._buffer = bytearray(BUFFER)

    async def run(self, duration: float | None = None) -> None:
        """Serve until SIGTERM, SIGINT or for `duration` seconds. Raises FeedError."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        host, port = self.settings.lines[0]
        try:
            server = await loop.create_server(lambda: SoupClient(self), host, port)
        except OSError as error:
            raise FeedError(
                f"{host}:{port}: {error.strerror}; stop what uses it, or give another --line-a"
            ) from None
        self.address: Address = server.sockets[0].getsockname()[:2]
        log.info("simulated exchange", session=self.session.decode(), listen=self.address)
        until = None if duration is None else loop.time() + duration
        async with server:
            while not stopped.is_set() and (until is None or loop.time() < until):
                self.turn()
                await asyncio.sleep(TURN)
            self.end()

    def turn(self) -> None:
        """Make the due messages, and send each client the new ones."""
        now = time.time_ns()
        if now >= self.next_midnight:
            self.end()
            self._open_session()
        due = int(self.market.opening + self.settings.rate * (now - self.opened_ns) / 1e9)
        while self.next_sequence <= due and not self.market.over:
            limit = min(due - self.next_sequence + 1, BATCH)
            messages, used = self.market.generate(limit, self._buffer)
            if not messages:
                break
            self.history.append(bytes(self._buffer[:used]), messages)
            while messages:
                count, _ = self.history.send(BUFFER, messages, now - self.midnight)
                messages -= count
                self.next_sequence += count
        for client in list(self.clients):
            client.feed(now)

    def end(self) -> None:
        """End of session, for everybody."""
        for client in list(self.clients):
            client.end()

    def statistics(self) -> dict[str, object]:
        """Counts of the session."""
        return {
            "session": self.session.decode(),
            "messages": self.next_sequence - 1,
            "logins": self.logins,
        }


class SoupClient(asyncio.Protocol):
    """One connection: its login, and where it is."""

    def __init__(self, exchange: SoupExchange) -> None:
        self.exchange = exchange
        self.following = 0
        self.said_ns = 0
        self._start = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self.exchange.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        self._start += data
        while len(self._start) >= 2:
            whole = 2 + int.from_bytes(self._start[:2], "big")
            if len(self._start) < whole:
                break
            packet, self._start = self._start[2:whole], self._start[whole:]
            self._packet(packet)

    def _packet(self, packet: bytes) -> None:
        if self._transport is None:
            return
        kind = packet[:1]
        if kind == b"L" and not self.following and len(packet) == LOGIN_BYTES - 2:
            self._login(packet)
        elif kind not in (b"R", b"+", b"U"):
            self._transport.close()

    def _login(self, packet: bytes) -> None:
        assert self._transport is not None
        exchange = self.exchange
        name, password = packet[1:7].decode().strip(), packet[7:17].decode().strip()
        session, sequence = packet[17:27].strip(), packet[27:47].strip()
        if any(exchange.credentials) and (name, password) != exchange.credentials:
            self._reject(b"A")
        elif (session and session != exchange.session) or not sequence.isdigit():
            self._reject(b"S")
        else:
            wanted = min(int(sequence) or exchange.next_sequence, exchange.next_sequence)
            if wanted < exchange.next_sequence and exchange.history.get(wanted) is None:
                wanted = exchange.next_sequence  # no longer there: the client sees a gap
            self.following = wanted
            exchange.logins += 1
            exchange.clients.add(self)
            self._send(b"A" + exchange.session.rjust(10) + b"%20d" % wanted)

    def _reject(self, reason: bytes) -> None:
        assert self._transport is not None
        self._send(b"J" + reason)
        self._transport.close()

    def _send(self, packet: bytes) -> None:
        assert self._transport is not None
        self._transport.write(len(packet).to_bytes(2, "big") + packet)
        self.said_ns = time.time_ns()

    def feed(self, now: int) -> None:
        """Send the due messages that fit; a heartbeat if nothing was sent."""
        if self._transport is None or self._transport.get_write_buffer_size() > UNSENT:
            return
        get = self.exchange.history.get
        packets: list[bytes] = []
        end = min(self.exchange.next_sequence, self.following + BATCH)
        for sequence in range(self.following, end):
            message = get(sequence)
            if message is None:
                # Overwritten while it did not read: it logs in again and sees what it lost.
                self._transport.close()
                return
            packets.append((1 + len(message)).to_bytes(2, "big") + b"S" + message)
        if packets:
            self._transport.write(b"".join(packets))
            self.following = end
            self.said_ns = now
        elif now - self.said_ns >= HEARTBEAT * 1e9:
            self._send(b"H")

    def end(self) -> None:
        """The session is over; so is the connection."""
        if self._transport is not None:
            self._send(b"Z")
            self._transport.close()
