"""A simulated exchange on the network: one market, its two lines and its re-request server.

A session is a day in New York: at midnight it ends and the next one starts, with a new session
id and new books. Every start has a session id of its own, so that a restart is a session change
for receivers, never a sequence that goes back.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns, session_day
from ticker.simulate.lines.history import History
from ticker.simulate.speakers.itch import ItchMarket
from ticker.simulate.speakers.moldudp64 import Sender

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MESSAGE_BYTES = 36  # a little above the mean, framed
VISIT_SECONDS = 120.0
TURN = 0.25  # seconds after which the stop condition is looked at, if no signal comes first

Address = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a simulated exchange. `loss` is a share, `history` bytes. With `stamps_due`
    the time in a message is when the rate had it due, else when it was sent."""

    symbols: int = 200
    rate: float = 2000.0
    seed: int = 1
    lines: tuple[Address, ...] = (("239.192.0.1", 26477), ("239.192.0.2", 26477))
    rerequest: Address | None = ("127.0.0.1", 26479)
    interface: str = "127.0.0.1"
    loss: float = 0.0
    reorder: int = 0
    history: int = 256 << 20
    stamps_due: bool = False


def session_id(now_ns: int) -> bytes:
    """Ten characters, unique per microsecond until the year 2085."""
    value = now_ns // 1000
    found = bytearray()
    while len(found) < 10:
        value, digit = divmod(value, 36)
        found.append(ord(DIGITS[digit]))
    return bytes(reversed(found))


def visit_round(history: int, rate: float) -> int:
    """Number of messages in which every instrument is repeated and its oldest orders leave.

    Two minutes' worth; but no order may outlive what the history retains, and orders live up
    to two rounds (day.pyx), so a round is at most 2/5 of the messages that fit.
    """
    retained = history / MESSAGE_BYTES
    return int(max(1.0, min(rate * VISIT_SECONDS, retained / 2.5)))


def open_line(address: Address, interface: str) -> socket.socket:
    """A UDP socket that sends to `address`, multicast through `interface`."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        if IPv4Address(address[0]).is_multicast:
            line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        line.connect(address)
    except OSError as error:
        line.close()
        raise FeedError(
            f"line {address[0]}:{address[1]} through {interface}: {error}; "
            "give an --interface of this machine"
        ) from None
    return line


def open_rerequest(address: Address) -> socket.socket:
    """The bound UDP socket of the re-request server."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        server.bind(address)
    except OSError as error:
        server.close()
        raise FeedError(
            f"re-request server {address[0]}:{address[1]}: {error}; "
            "stop what uses the port, or give another --rerequest"
        ) from None
    return server


class Exchange:
    """Owns the sockets; `run` sends until told to stop.

    Raises:
        FeedError: a socket cannot be opened.
        ValueError: no such number of symbols.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lines: list[socket.socket] = []
        self._server: socket.socket | None = None
        try:
            for address in settings.lines:
                self._lines.append(open_line(address, settings.interface))
            if settings.rerequest is not None:
                self._server = open_rerequest(settings.rerequest)
            self._open_session()
        except BaseException:
            self.close()
            raise

    @property
    def rerequest(self) -> Address | None:
        """Where the re-request server really listens (its port may have been given as 0)."""
        return None if self._server is None else self._server.getsockname()

    def _open_session(self) -> None:
        settings = self.settings
        now = time.time_ns()
        today = session_day(now)
        self.midnight = midnight_ns(today)
        self.next_midnight = midnight_ns(today + timedelta(days=1))
        self.session = session_id(now)
        market = ItchMarket(
            settings.symbols,
            settings.seed,
            rate=settings.rate,
            start=now - self.midnight,
            visit_round=visit_round(settings.history, settings.rate),
        )
        self._sender = Sender(
            market,
            History(settings.history),
            [line.fileno() for line in self._lines],
            -1 if self._server is None else self._server.fileno(),
            self.session,
            self.midnight,
            settings.rate,
            settings.loss,
            settings.reorder,
            settings.seed,
            settings.stamps_due,
        )

    def run(
        self, stopping: Callable[[], bool], duration: float | None = None, linger: float = 0.3
    ) -> None:
        """Speak until `stopping()` or for `duration` seconds, then end the session.

        A signal ends a turn at once; `linger` is how long re-requests are still answered.
        """
        until = None if duration is None else time.monotonic() + duration
        while not stopping():
            turn = TURN
            if until is not None:
                turn = min(turn, until - time.monotonic())
                if turn <= 0:
                    break
            self._sender.run(turn)
            if time.time_ns() >= self.next_midnight:
                self._sender.finish(0.0)
                self._open_session()
        self._sender.finish(linger)

    def statistics(self) -> dict[str, Any]:
        """Counts of the session: messages, and per line packets, lost and errors, ..."""
        return {"session": self.session.decode(), **self._sender.statistics()}

    def close(self) -> None:
        """Close every socket."""
        for line in self._lines:
            line.close()
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
